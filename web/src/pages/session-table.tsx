// Sessions as rows.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { answer, api, type Session, type User } from "../api/client";
import { Ago, Failure, span, useNow } from "../ui/parts";

const REASONS: Record<string, string> = {
  denied: "Declined, or nobody could be asked",
  timed_out: "No answer in time",
  expired: "The code expired",
  cancelled: "Cancelled",
  closed_by_person: "Ended by the person",
  closed_by_technician: "Ended by the technician",
  agent_lost: "The computer went away",
  removed: "Removed by an administrator",
};

/** Where a session stands, in words. */
export function stateWords(session: Session): string {
  switch (session.state) {
    case "waiting": return "Waiting for the person";
    case "pending": return "Connected, asking the person";
    case "live": return "Live";
    case "suspended": return "Line lost, waiting for the computer";
    default: return REASONS[session.end_reason ?? ""] ?? "Ended";
  }
}

export function SessionTable({ sessions, user }: { sessions: Session[]; user: User }) {
  const now = useNow();
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: (id: string) => answer(api.DELETE("/api/sessions/{id}", { params: { path: { id } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const confirmEnd = (session: Session) => {
    const watching = session.viewers.length;
    const also = watching > 0 ? ` ${watching} ${watching === 1 ? "person is" : "people are"} watching.` : "";
    if (confirm(`End the session with ${session.machine?.hostname ?? "this computer"}?${also}`)) end.mutate(session.id);
  };
  return (
    <>
      <Failure error={end.error} />
      <div className="table-wrap">
        <table>
          <thead>
            <tr><th>State</th><th>Computer</th><th>Technician</th><th>Watching</th><th>Duration</th><th><span className="hidden-text">Actions</span></th></tr>
          </thead>
          <tbody>
            {sessions.map((session) => (
              <tr key={session.id}>
                <td><span className={`state ${session.state}`}>{stateWords(session)}</span></td>
                <td className="name">
                  {session.machine?.hostname ?? <span className="muted">not known yet</span>}
                  <div className="sub">{session.machine?.operating_system}</div>
                </td>
                <td className="name">
                  {session.technician_name}
                  <div className="sub">{session.accepted_access === "control" ? "see and control" : session.accepted_access ? "view only" : null}</div>
                </td>
                <td className="name">{session.viewers.map((viewer) => viewer.name).join(", ") || <span className="muted">nobody</span>}</td>
                <td>
                  {session.started_at ? span((session.ended_at ? Date.parse(session.ended_at) : now) - Date.parse(session.started_at)) : "–"}
                  <div className="sub"><Ago at={session.created_at} /></div>
                </td>
                <td className="actions">
                  {session.state === "live" || session.state === "suspended" ? (
                    <Link to="/sessions/$id/view" params={{ id: session.id }} className="button primary">Open</Link>
                  ) : null}
                  {session.state !== "ended" && (session.created_by === user.id || user.permissions.includes("manage_sessions")) ? (
                    <button className="button danger" onClick={() => confirmEnd(session)} disabled={end.isPending}>End</button>
                  ) : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
