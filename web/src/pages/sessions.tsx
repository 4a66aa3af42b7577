// Home of technicians: codes that wait, and sessions.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useEffect, useRef } from "react";

import { answer, api, type Code, type Session, type User } from "../api/client";
import { useCodes, useSessions } from "../api/queries";
import { Failure, useNow, useTitle, Waiting } from "../ui/parts";
import { Shell } from "../ui/shell";
import { CodeCard } from "./code-card";
import { SessionTable } from "./session-table";
import { chime } from "./chime";

export function SessionsPage() {
  return <Shell>{(user) => <Sessions user={user} />}</Shell>;
}

function Sessions({ user }: { user: User }) {
  const { show } = useSearch({ from: "/" });
  const ended = show === "ended";
  const mayCreate = user.permissions.includes("create_codes");
  const queries = useQueryClient();
  const open = useSessions(false);
  const past = useSessions(true);
  const codes = useCodes(mayCreate);
  const list = ended ? past : open;
  const create = useMutation({
    mutationFn: (access: "view" | "control") => answer(api.POST("/api/codes", { body: { access } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["codes"] });
      void queries.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  const mine = (open.data?.items ?? []).filter((session) => session.created_by === user.id);
  useArrivals(mine);
  const cards = recent(codes.data?.items ?? [], [...(open.data?.items ?? []), ...(past.data?.items ?? [])], useNow());
  const inCards = new Set(cards.map(({ session }) => session.id));
  const rows = (list.data?.items ?? []).filter((session) => ended || session.state === "live" || session.state === "suspended" || !inCards.has(session.id));

  return (
    <>
      <div className="heading">
        <h1>Sessions</h1>
        {mayCreate ? (
          <>
            <button className="button" onClick={() => create.mutate("view")} disabled={create.isPending}>New code to view only</button>
            <button className="button primary" onClick={() => create.mutate("control")} disabled={create.isPending}>
              <Plus aria-hidden="true" /> New support code
            </button>
          </>
        ) : null}
      </div>
      <Failure error={create.error} />
      {cards.length > 0 ? (
        <section className="codes" aria-label="Support codes">
          {cards.map(({ code, session }) => <CodeCard key={session.id} code={code} session={session} />)}
        </section>
      ) : null}
      <nav className="tabs" aria-label="Which sessions">
        <Link to="/" search={{}} activeOptions={{ exact: true, includeSearch: true }}>Open</Link>
        <Link to="/" search={{ show: "ended" }} activeOptions={{ includeSearch: true }}>Past</Link>
      </nav>
      <Failure error={list.error} />
      {list.isPending ? <Waiting>Loading sessions</Waiting> : null}
      {list.data && rows.length === 0 ? (
        <div className="table-wrap empty">
          <h2>{ended ? "No past sessions yet" : "Nobody is connected"}</h2>
          <p className="muted">
            {ended ? "Sessions that have ended are listed here." : "Create a support code and read it out over the phone. The session appears here when the person has said yes."}
          </p>
          {!ended && mayCreate ? (
            <button className="button primary" onClick={() => create.mutate("control")} disabled={create.isPending}>
              <Plus aria-hidden="true" /> New support code
            </button>
          ) : null}
        </div>
      ) : null}
      {rows.length > 0 ? <SessionTable sessions={rows} user={user} /> : null}
    </>
  );
}

/** Codes worth a card: those that wait, those whose person is being asked or
 * has just answered. */
function recent(codes: Code[], sessions: Session[], now: number): { code: Code; session: Session }[] {
  const byId = new Map(sessions.map((session) => [session.id, session]));
  const cards = codes.flatMap((code) => {
    const session = byId.get(code.session_id);
    return session ? [{ code, session }] : [];
  });
  return cards.filter(({ code, session }) => {
    if (session.state === "waiting" || session.state === "pending") return true;
    if (session.state === "live") return now - Date.parse(session.started_at ?? session.created_at) < 30_000;
    const unanswered = session.end_reason === "denied" || session.end_reason === "timed_out" || session.end_reason === "agent_lost";
    return session.state === "ended" && unanswered && !session.machine && now - Date.parse(session.ended_at ?? code.created_at) < 60_000;
  });
}

/** A sound and the tab's title when a person arrives. */
function useArrivals(sessions: Session[]) {
  const before = useRef<Map<string, string> | null>(null);
  const live = sessions.filter((session) => session.state === "live" && session.viewers.length === 0).length;
  const asking = sessions.filter((session) => session.state === "pending").length;
  useTitle(live > 0 ? `(${live}) Connected · GuruConnect` : asking > 0 ? "Asking… · GuruConnect" : "Sessions · GuruConnect");
  useEffect(() => {
    const known = before.current;
    before.current = new Map(sessions.map((session) => [session.id, session.state]));
    if (!known) return;
    const arrived = sessions.some((session) => session.state !== "waiting" && known.get(session.id) === "waiting");
    const accepted = sessions.some((session) => session.state === "live" && known.has(session.id) && known.get(session.id) === "pending");
    if (arrived || accepted) chime(accepted);
  }, [sessions]);
}
