// Small parts that pages share.
import { useEffect, useState, useSyncExternalStore, type ReactNode } from "react";

import { ApiFailure } from "../api/client";

/** What went wrong, what to do, and the request id to quote. */
export function Failure({ error }: { error: unknown }) {
  if (!error) return null;
  const failure = error instanceof ApiFailure ? error : null;
  return (
    <div className="message bad" role="alert">
      {error instanceof Error ? error.message : "Something went wrong."}
      {failure?.code === "FORBIDDEN" ? " An administrator can allow it." : null}
      {failure?.retryAfter ? ` Try again in ${span(failure.retryAfter * 1000)}.` : null}
      {failure?.requestId ? (
        <small>
          Request <span className="mono">{failure.requestId}</span>
        </small>
      ) : null}
    </div>
  );
}

/** Shown when something takes longer than a moment. */
export function Waiting({ children }: { children: ReactNode }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  if (!late) return null;
  return (
    <div className="waiting" role="status">
      <span className="spinner" aria-hidden="true" /> {children}
    </div>
  );
}

// One clock for a page, however many rows look at it.
const watching = new Set<() => void>();
let ticking = 0;
let tick = 0;
const second = () => Math.floor(Date.now() / 1000) * 1000;

function watch(listener: () => void): () => void {
  watching.add(listener);
  if (!ticking) {
    tick = second();
    ticking = window.setInterval(() => {
      tick = second();
      for (const told of watching) told();
    }, 1000);
  }
  return () => {
    watching.delete(listener);
    if (watching.size > 0) return;
    clearInterval(ticking);
    ticking = 0;
  };
}

/** The time, renewed every second. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => (ticking ? tick : second()));
}

/** A span of time in words: 14 min 3 s. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

const DAY = 86_400_000;

function passedWords(at: string, now: number): string {
  const passed = now - Date.parse(at);
  if (passed < 45_000) return "just now";
  if (passed < DAY) return `${span(passed).split(" ").slice(0, 2).join(" ")} ago`;
  const days = Math.floor(passed / DAY);
  return days <= 30 ? `${days} ${days === 1 ? "day" : "days"} ago` : new Date(at).toLocaleDateString();
}

/** A time as people say it, exact on hover. */
export function Ago({ at }: { at: string }) {
  const words = passedWords(at, useNow());
  return <time dateTime={at} title={new Date(at).toLocaleString()}>{words}</time>;
}

/** From a list's page to the next: links, so that the back button leads back. */
export function Pager({ newest, older, busy }: { newest: ReactNode; older: ReactNode; busy: boolean }) {
  if (!newest && !older) return null;
  return <nav className="pager" aria-label="Pages of this list" aria-busy={busy}>{newest}{older}</nav>;
}

/** Set the tab's title while a page is shown. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = title;
    return () => {
      document.title = "GuruConnect";
    };
  }, [title]);
}
