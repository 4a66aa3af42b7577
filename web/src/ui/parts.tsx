// Small parts that pages share.
import { useEffect, useState, type ReactNode } from "react";

import { ApiFailure } from "../api/client";

/** What went wrong, what to do, and the request id to quote. */
export function Failure({ error }: { error: unknown }) {
  if (!error) return null;
  const failure = error instanceof ApiFailure ? error : null;
  return (
    <div className="message bad" role="alert">
      {error instanceof Error ? error.message : "Something went wrong."}
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

/** The time, renewed every second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
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

/** A time as people say it, exact on hover. */
export function Ago({ at }: { at: string }) {
  const now = useNow();
  const passed = now - Date.parse(at);
  const words = passed < 45_000 ? "just now" : `${span(passed).split(" ").slice(0, 2).join(" ")} ago`;
  return <time dateTime={at} title={new Date(at).toLocaleString()}>{words}</time>;
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
