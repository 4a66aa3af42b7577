// What pages read, kept fresh by the server's events.
import { MutationCache, QueryCache, QueryClient, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { answer, api, ApiFailure } from "./client";
import { listen } from "./events";

const isRefused = (error: unknown) => error instanceof ApiFailure && error.status === 401;

/** Where any call says that the login has ended, every page hears of it. */
export function makeQueryClient(): QueryClient {
  const refused = (error: unknown, key?: readonly unknown[]) => {
    if (isRefused(error) && key?.[0] !== "me") void client.invalidateQueries({ queryKey: ["me"] });
  };
  const client = new QueryClient({
    defaultOptions: { queries: { retry: 1, staleTime: 5_000, refetchOnWindowFocus: true } },
    queryCache: new QueryCache({ onError: (error, query) => refused(error, query.queryKey) }),
    mutationCache: new MutationCache({ onError: (error) => refused(error) }),
  });
  return client;
}

export function useMe() {
  return useQuery({
    queryKey: ["me"],
    queryFn: () => answer(api.GET("/api/auth/me")),
    retry: (count, error) => !isRefused(error) && count < 2,
  });
}

/** Sessions, newest first, a page at a time. */
export function useSessions(ended: boolean) {
  return useInfiniteQuery({
    queryKey: ["sessions", ended ? "ended" : "open"],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      answer(api.GET("/api/sessions", { params: { query: { state: ended ? "ended" : "open", after: pageParam } } })),
    getNextPageParam: (last) => last.next ?? undefined,
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
    return listen((heard) => {
      setConnected(heard === "changed");
      // Where the stream was refused, the login may be over.
      const keys = heard === "lost" ? ["me"] : ["sessions", "session", "codes", "audit"];
      for (const key of keys) void queries.invalidateQueries({ queryKey: [key] });
    });
  }, [enabled, queries]);
  return connected;
}
