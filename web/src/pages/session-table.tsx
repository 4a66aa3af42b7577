// Sessions as rows.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { answer, api, ApiFailure, type Session, type User } from "../api/client";
import { useAsk } from "../ui/ask";
import { Ago, Failure, span, useNow } from "../ui/parts";

/** Why a session ended. */
export const REASONS: Record<string, string> = {
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
    default:
      if (session.end_reason === "expired" && session.started_at) return "Time limit reached";
      return REASONS[session.end_reason ?? ""] ?? "Ended";
  }
}

/** A session by the name that people know it by. */
function title(session: Session): string {
  return session.machine?.hostname ?? `${session.technician_name}’s of ${new Date(session.created_at).toLocaleString()}`;
}

/** Which of them end, where they are removed. */
function openWords(sessions: Session[]): string {
  const open = sessions.filter((session) => session.state !== "ended").length;
  if (open === 0) return "";
  if (sessions.length === 1) return "It is open and ends. ";
  if (open === sessions.length) return "All of them are open and end. ";
  return open === 1 ? "1 of them is open and ends. " : `${open} of them are open and end. `;
}

/** What ends with a session. */
function endWords(session: Session): string {
  if (session.state === "waiting") return "Its support code stops working.";
  if (session.state === "pending") return "The person is no longer asked.";
  const watching = session.viewers.length;
  const also = watching > 0 ? `${watching} ${watching === 1 ? "person is" : "people are"} watching. ` : "";
  return `${also}The person’s computer is released at once.`;
}

/** Which could not be removed, and why. */
async function removeAll(sessions: Session[]): Promise<Map<string, string>> {
  if (sessions.length === 0) return new Map();
  const { items } = await answer(api.POST("/api/sessions/remove", { body: { ids: sessions.map((session) => session.id) } }));
  // Where there is none any more, another administrator was quicker.
  const kept = items.filter((item) => !item.removed && item.error_code !== "NOT_FOUND");
  return new Map(kept.map((item) => [item.id, item.error_code ?? "UNKNOWN"]));
}

export function SessionTable({ sessions, user }: { sessions: Session[]; user: User }) {
  const now = useNow();
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const manages = user.permissions.includes("manage_sessions");
  // What has gone meanwhile is no longer chosen.
  const picked = sessions.filter((session) => chosen.has(session.id));
  const choose = (ids: string[], on: boolean) => {
    const next = new Set(chosen);
    for (const id of ids) {
      if (on) next.add(id);
      else next.delete(id);
    }
    setChosen(next);
  };
  const remove = useMutation({
    mutationFn: async (which: Session[]) => {
      const kept = await removeAll(which);
      // One's own open session is ended first, and stays listed by that.
      const own = which.filter((session) => session.state !== "ended" && session.created_by === user.id && !kept.has(session.id));
      for (const [id, code] of await removeAll(own)) kept.set(id, code);
      const [first] = kept.values();
      if (first === undefined) return;
      throw new ApiFailure(first, 0, `${kept.size} of ${which.length} could not be removed. What could is gone; try again with the rest.`, "");
    },
    onSuccess: () => setChosen(new Set()),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const { ask, question } = useAsk();
  const askRemove = async (which: Session[]) => {
    const what = which.length === 1 ? <>the session <bdi>{title(which[0]!)}</bdi></> : `${which.length} sessions`;
    const ends = `${openWords(which)}The audit trail keeps what happened.`;
    if (await ask({ title: <>Remove {what} from the list?</>, ends, verb: "Remove" })) remove.mutate(which);
  };
  const end = useMutation({
    mutationFn: (id: string) => answer(api.DELETE("/api/sessions/{id}", { params: { path: { id } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const askEnd = async (session: Session) => {
    const whose = session.machine ? <>the session with <bdi>{session.machine.hostname}</bdi></> : "this session";
    if (await ask({ title: <>End {whose}?</>, ends: endWords(session), verb: "End session" })) end.mutate(session.id);
  };
  return (
    <>
      <Failure error={end.error ?? remove.error} />
      {picked.length > 0 ? (
        <div className="row" role="status">
          <span>{picked.length} chosen</span>
          <button className="button danger" onClick={() => void askRemove(picked)} disabled={remove.isPending}>
            {remove.isPending ? "Removing…" : `Remove ${picked.length === 1 ? "it" : "them"}`}
          </button>
          <button className="button" onClick={() => setChosen(new Set())}>Choose none</button>
        </div>
      ) : null}
      <div className="table-wrap">
        <table>
          <thead>
            <tr>
              {manages ? (
                <th>
                  <input
                    type="checkbox" aria-label="Choose all that are shown" checked={sessions.length > 0 && picked.length === sessions.length}
                    onChange={(e) => choose(sessions.map((session) => session.id), e.target.checked)}
                  />
                </th>
              ) : null}
              <th>State</th><th>Computer</th><th>Technician</th><th>Watching</th><th>Duration</th><th><span className="hidden-text">Actions</span></th>
            </tr>
          </thead>
          <tbody>
            {sessions.map((session) => (
              <tr key={session.id}>
                {manages ? (
                  <td><input type="checkbox" aria-label={`Choose ${title(session)}`} checked={chosen.has(session.id)} onChange={(e) => choose([session.id], e.target.checked)} /></td>
                ) : null}
                <td><span className={`state ${session.state}`}>{stateWords(session)}</span></td>
                <td className="name" title={session.machine?.hostname}>
                  {session.machine ? <bdi>{session.machine.hostname}</bdi> : <span className="muted">not known yet</span>}
                  <div className="sub">{session.machine?.operating_system}</div>
                </td>
                <td className="name" title={session.technician_name}>
                  <bdi>{session.technician_name}</bdi>
                  <div className="sub">{session.accepted_access === "control" ? "see and control" : session.accepted_access ? "view only" : null}</div>
                </td>
                <td className="name">{session.viewers.length > 0 ? session.viewers.map((viewer) => <div key={viewer.viewer}><bdi>{viewer.name}</bdi></div>) : <span className="muted">nobody</span>}</td>
                <td>
                  {session.started_at ? span((session.ended_at ? Date.parse(session.ended_at) : now) - Date.parse(session.started_at)) : "–"}
                  <div className="sub"><Ago at={session.created_at} /></div>
                </td>
                <td className="actions">
                  {session.state === "live" || session.state === "suspended" ? (
                    <Link to="/sessions/$id/view" params={{ id: session.id }} className="button primary">Open</Link>
                  ) : null}
                  {session.state !== "ended" && (session.created_by === user.id || user.permissions.includes("manage_sessions")) ? (
                    <button className="button danger" onClick={() => void askEnd(session)} disabled={end.isPending}>End</button>
                  ) : null}
                  {session.state === "ended" && manages ? (
                    <button className="button" aria-label={`Remove ${title(session)}`} onClick={() => void askRemove([session])} disabled={remove.isPending}>Remove</button>
                  ) : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {question}
    </>
  );
}
