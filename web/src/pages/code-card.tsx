// One support code: to be read out, sent, or taken back.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Copy, Link as LinkIcon, X } from "lucide-react";
import { useState } from "react";

import { answer, api, type Code, type Session } from "../api/client";
import { Failure, span, useNow } from "../ui/parts";
import { stateWords } from "./session-table";

export function CodeCard({ code, session }: { code: Code; session: Session }) {
  const now = useNow();
  const queries = useQueryClient();
  const [copied, setCopied] = useState("");
  const cancel = useMutation({
    mutationFn: () => answer(api.POST("/api/codes/{code}/cancel", { params: { path: { code: code.code ?? "" } } })),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["codes"] });
      void queries.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  const end = useMutation({
    mutationFn: () => answer(api.DELETE("/api/sessions/{id}", { params: { path: { id: session.id } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const copy = async (text: string, what: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(`${what} copied`);
    } catch {
      setCopied("Copying is not allowed here; mark it and copy by hand");
    }
  };
  const left = Date.parse(code.expires_at) - now;
  return (
    <article className="code-card" aria-label="Support code">
      <div className="heading">
        <h2>{session.requested_access === "control" ? "To see and control" : "To view only"}</h2>
      </div>
      {code.code ? <div className="big mono" data-testid="code">{code.code}</div> : null}
      <div>
        <span className={`state ${session.state}`} role="status">{stateWords(session)}</span>
        {/* Outside the status: a number that runs would be read out each second. */}
        {code.code && left > 0 ? <span className="muted"> · valid for {span(left)}</span> : null}
      </div>
      <Failure error={cancel.error ?? end.error} />
      <div className="actions">
        {code.code ? (
          <>
            <button className="button" onClick={() => void copy(code.code ?? "", "Code")}><Copy aria-hidden="true" /> Copy code</button>
            <button className="button" onClick={() => void copy(`${location.origin}/join#${code.code}`, "Link")}><LinkIcon aria-hidden="true" /> Copy link</button>
            <button className="button danger" onClick={() => cancel.mutate()} disabled={cancel.isPending}><X aria-hidden="true" /> Cancel</button>
          </>
        ) : null}
        {session.state === "pending" ? (
          <button className="button danger" onClick={() => end.mutate()} disabled={end.isPending}><X aria-hidden="true" /> Stop asking</button>
        ) : null}
        {session.state === "live" ? (
          <Link to="/sessions/$id/view" params={{ id: session.id }} className="button primary">Open session</Link>
        ) : null}
      </div>
      <span className="muted" role="status">{code.code ? copied : ""}</span>
    </article>
  );
}
