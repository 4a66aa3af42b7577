// Who is here, and how the picture reaches each of them.
import { useQuery } from "@tanstack/react-query";

import { answer, api, type Session } from "../api/client";
import type { ViewerState } from "./state";

/** Viewers tell the server as often. */
const PERIOD = 5_000;

type Statistics = NonNullable<Session["viewers"][number]["statistics"]>;

export function People({ id, state, open }: { id: string; state: ViewerState; open: boolean }) {
  const session = useQuery({
    queryKey: ["session", id, "statistics"],
    queryFn: () => answer(api.GET("/api/sessions/{id}", { params: { path: { id } } })),
    enabled: open && state.phase !== "ended",
    refetchInterval: PERIOD,
    retry: false,
  });
  const told = new Map(session.data?.viewers.map((viewer) => [viewer.viewer, viewer.statistics]));
  return state.people.map((person) => {
    const statistics = told.get(person.viewer);
    return (
      <span key={person.viewer}>
        <bdi>{person.name}</bdi>{person.viewer === state.viewer ? " (you)" : ""} <span className="muted">{person.viewer === state.controller ? "in control" : "watching"}</span>
        {statistics ? <span className="muted figures">{words(statistics)}</span> : null}
      </span>
    );
  });
}

function words(statistics: Statistics): string {
  const milliseconds = (what: string, time: number | null | undefined) => (time == null ? [] : [`${what} ${(time / 1000).toFixed(1)} ms`]);
  return [
    `${statistics.frames_per_second} pictures/s`,
    `${(statistics.kbit_per_second / 1000).toFixed(2)} Mbit/s`,
    statistics.codec === "h264" ? "with H.264" : "lossless tiles",
    ...milliseconds("line", statistics.round_trip_us),
    ...milliseconds("encoding", statistics.encode_us),
    ...milliseconds("decoding", statistics.decode_us),
  ].join(" · ");
}
