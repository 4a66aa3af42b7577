// What pages read, kept fresh by the server's events.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { answer, api, ApiFailure } from "./client";

export function useMe() {
  return useQuery({
    queryKey: ["me"],
    queryFn: () => answer(api.GET("/api/auth/me")),
    retry: (count, error) => !(error instanceof ApiFailure && error.status === 401) && count < 2,
  });
}

export function useSessions(ended: boolean) {
  return useQuery({
    queryKey: ["sessions", ended ? "ended" : "open"],
    queryFn: () => answer(api.GET("/api/sessions", { params: { query: { state: ended ? "ended" : "open" } } })),
  });
}

export function useSession(id: string) {
  return useQuery({
    queryKey: ["session", id],
    queryFn: () => answer(api.GET("/api/sessions/{id}", { params: { path: { id } } })),
  });
}

export function useCodes(enabled: boolean) {
  return useQuery({ queryKey: ["codes"], queryFn: () => answer(api.GET("/api/codes")), enabled });
}

/** Read again what the server says has changed. Whether the line stands. */
export function useEvents(enabled: boolean): boolean {
  const queries = useQueryClient();
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    if (!enabled) return;
    const source = new EventSource("/api/events");
    const everything = () => {
      setConnected(true);
      void queries.invalidateQueries({ queryKey: ["sessions"] });
      void queries.invalidateQueries({ queryKey: ["session"] });
      void queries.invalidateQueries({ queryKey: ["codes"] });
    };
    source.addEventListener("resync", everything);
    source.addEventListener("session", everything);
    source.addEventListener("error", () => setConnected(false));
    return () => source.close();
  }, [enabled, queries]);
  return connected;
}
