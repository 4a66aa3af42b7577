// A person arrives: a sound and the tab's title, whatever page is open.
import { useEffect, useRef } from "react";

import type { Session } from "../api/client";
import { chime } from "./chime";

/** Sounds when one of the technician's own sessions comes forward; how the
 * tab's title begins meanwhile. */
export function useArrivals(sessions: Session[]): string {
  const before = useRef<Map<string, string> | null>(null);
  const live = sessions.filter((session) => session.state === "live" && session.viewers.length === 0).length;
  const asking = sessions.filter((session) => session.state === "pending").length;
  useEffect(() => {
    const known = before.current;
    before.current = new Map(sessions.map((session) => [session.id, session.state]));
    if (!known) return;
    const arrived = sessions.some((session) => session.state !== "waiting" && known.get(session.id) === "waiting");
    const accepted = sessions.some((session) => session.state === "live" && known.get(session.id) === "pending");
    if (arrived || accepted) chime(accepted);
  }, [sessions]);
  if (live > 0) return `(${live}) Connected · `;
  return asking > 0 ? "Asking… · " : "";
}
