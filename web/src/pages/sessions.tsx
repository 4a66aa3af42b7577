// Home of technicians: codes that wait, and sessions.
import { Link, useSearch } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useMemo } from "react";

import type { Code, Session, User } from "../api/client";
import { useCodes, useNewCode, useSessions, useSessionsOf } from "../api/queries";
import { Failure, Pager, useNow, useTitle, Waiting } from "../ui/parts";
import { Shell } from "../ui/shell";
import { useArrivals } from "./arrivals";
import { CodeCard } from "./code-card";
import { SessionTable } from "./session-table";

export function SessionsPage() {
  return <Shell>{(user) => <Sessions user={user} />}</Shell>;
}

function Sessions({ user }: { user: User }) {
  const { show, after } = useSearch({ from: "/" });
  const ended = show === "ended";
  const mayCreate = user.permissions.includes("create_codes");
  const own = useSessionsOf(user.id);
  const list = useSessions(ended ? "ended" : "open", after);
  const codes = useCodes(mayCreate);
  const create = useNewCode();
  const now = useNow();
  const mine = useMemo(() => own.data?.items.filter((session) => session.state !== "ended") ?? [], [own.data]);
  const arrivals = useArrivals(mine);
  useTitle(`${arrivals}${arrivals ? "" : "Sessions · "}GuruConnect`);
  const cards = recent(codes.data?.items ?? [], own.data?.items ?? [], now);
  const inCards = new Set(cards.map(({ session }) => session.id));
  const rows = (list.data?.items ?? []).filter((session) => ended || session.state === "live" || session.state === "suspended" || !inCards.has(session.id));
  const search = ended ? { show: "ended" as const } : {};

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
      <Failure error={create.error ?? codes.error ?? own.error} />
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
          <h2>{after ? "Nothing older" : ended ? "No past sessions yet" : "Nobody is connected"}</h2>
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
      <Pager
        busy={list.isPlaceholderData}
        newest={after ? <Link to="/" search={search} className="button">Newest</Link> : null}
        older={list.data?.next ? <Link to="/" search={{ ...search, after: list.data.next }} className="button">Older</Link> : null}
      />
    </>
  );
}

/** Ends before anybody was let in, of which the technician has to hear. */
const UNANSWERED = new Set(["denied", "timed_out", "agent_lost", "expired"]);

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
    const unanswered = UNANSWERED.has(session.end_reason ?? "");
    return session.state === "ended" && unanswered && !session.machine && now - Date.parse(session.ended_at ?? code.created_at) < 60_000;
  });
}
