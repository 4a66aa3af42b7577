// What pages read, kept fresh by the server's events.
import { keepPreviousData, MutationCache, QueryCache, QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { answer, api, ApiFailure, type Role, type User } from "./client";
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

/** A page of sessions, newest first. */
export function useSessions(state: "open" | "ended", after?: string) {
  return useQuery({
    queryKey: ["sessions", state, after ?? ""],
    queryFn: () => answer(api.GET("/api/sessions", { params: { query: { state, after } } })),
    // The next page does not empty the list for a moment; another list does.
    placeholderData: (before, query) => (query?.queryKey[1] === state ? before : undefined),
  });
}

/** The newest sessions that this user created, open and ended: each of one's
 * newest codes finds its own here. */
export function useSessionsOf(user: string | undefined) {
  return useQuery({
    queryKey: ["sessions", "of", user],
    queryFn: () => answer(api.GET("/api/sessions", { params: { query: { created_by: user } } })),
    enabled: user !== undefined,
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

export interface UserFilter {
  q?: string;
  role?: Role;
  enabled?: boolean;
  /** The page: those who come after this user name. */
  after?: string;
}

/** A page of users, by name. */
export function useUsers(filter: UserFilter) {
  return useQuery({
    queryKey: ["users", filter],
    queryFn: () => answer(api.GET("/api/users", { params: { query: { ...filter } } })),
    // Another filter does not empty the page for a moment.
    placeholderData: keepPreviousData,
  });
}

/** Every user, read page by page: one is chosen from all of them. */
export function useAllUsers(enabled: boolean) {
  return useQuery({
    queryKey: ["users", "all"],
    enabled,
    queryFn: async () => {
      const all: User[] = [];
      for (let after: string | undefined; ;) {
        const page = await answer(api.GET("/api/users", { params: { query: { after, limit: 200 } } }));
        all.push(...page.items);
        if (!page.next) return all;
        after = page.next;
      }
    },
  });
}

/** Make a support code; its card comes by itself. */
export function useNewCode() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (access: "view" | "control") => answer(api.POST("/api/codes", { body: { access } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["codes"] });
      void queries.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
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
