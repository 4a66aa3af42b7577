// Minting a token, opening the socket, coming back.
import { useEffect, useMemo, useReducer, useRef, type RefObject } from "react";

import { answer, api, ApiFailure } from "../api/client";
import { cssCursor } from "./cursor";
import type { Command, Report } from "./messages";
import { initial, reduce, type ViewerState } from "./state";

/** An attempt that has brought nothing by then has failed. */
const ATTEMPT_WITHIN = 15_000;

export interface Connection {
  state: ViewerState;
  send: (command: Command) => void;
  retry: () => void;
  read: () => void;
  dismiss: () => void;
}

/** Whether trying again is of no use. A person who is being asked may still
 * say yes; too many attempts are too many for now. */
function isFinal(failure: ApiFailure): boolean {
  const passes = failure.code === "CONSENT_PENDING" || failure.status === 408 || failure.status === 429;
  return failure.status >= 400 && failure.status < 500 && !passes;
}

export function useConnection(id: string, holder: RefObject<HTMLDivElement | null>): Connection {
  const [state, change] = useReducer(reduce, initial);
  const worker = useRef<Worker | null>(null);
  const display = useRef(0);
  useEffect(() => {
    display.current = state.display;
    // The pointer of another display is none of this one's.
    holder.current?.style.setProperty("--pointer", "0");
  }, [state.display, holder]);

  useEffect(() => {
    const element = document.createElement("canvas");
    element.id = "screen";
    element.width = 1;
    element.height = 1;
    holder.current?.prepend(element);
    const started = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const offscreen = element.transferControlToOffscreen();
    started.postMessage({ type: "canvas", canvas: offscreen } satisfies Command, [offscreen]);
    started.onmessage = (event: MessageEvent<Report>) => {
      const report = event.data;
      const style = holder.current?.style;
      if (report.type === "cursor") style?.setProperty("--cursor", cssCursor(report));
      else if (report.type === "pointer") {
        style?.setProperty("--pointer", report.display === display.current ? "1" : "0");
        style?.setProperty("--x", String(report.x));
        style?.setProperty("--y", String(report.y));
      } else change(report);
    };
    started.onerror = () => change({ type: "broken", text: "The viewer cannot start in this browser." });
    worker.current = started;
    return () => {
      element.remove();
      started.postMessage({ type: "close" } satisfies Command);
      setTimeout(() => started.terminate(), 500);
      worker.current = null;
    };
  }, [id, holder]);

  useEffect(() => {
    let gone = false;
    const open = async () => {
      try {
        const minted = await answer(api.POST("/api/sessions/{id}/viewer-token", { params: { path: { id } } }));
        if (gone) return;
        const scheme = location.protocol === "https:" ? "wss" : "ws";
        const url = `${scheme}://${location.host}/ws/viewer?session_id=${id}`;
        worker.current?.postMessage({ type: "open", url, token: minted.token, display: display.current } satisfies Command);
      } catch (error) {
        if (gone) return;
        const failure = error instanceof ApiFailure ? error : new ApiFailure("UNKNOWN", 0, "Something went wrong.", "");
        change({ type: "refused", failure, final: isFinal(failure) });
      }
    };
    void open();
    return () => {
      gone = true;
    };
  }, [id, state.attempt]);

  // A lost line is tried again by itself, soon at first, then less often; one
  // attempt at a time, and none for ever.
  useEffect(() => {
    if (state.phase !== "lost") return;
    const passed = Date.now() - state.lostSince;
    const usual = Math.min(10_000, 500 + passed / 3) * (0.75 + Math.random() / 2);
    const wait = state.trying ? ATTEMPT_WITHIN : Math.max(usual, state.retryAfter * 1000);
    const timer = setTimeout(() => change({ type: "retry" }), wait);
    return () => clearTimeout(timer);
  }, [state.phase, state.attempt, state.trying, state.lostSince, state.retryAfter]);

  // These stay the same over the viewer's life: what holds keys depends on it.
  const actions = useMemo(
    () => ({
      send: (command: Command) => worker.current?.postMessage(command),
      retry: () => change({ type: "retry" }),
      read: () => change({ type: "read" }),
      dismiss: () => change({ type: "dismiss" }),
    }),
    [],
  );
  return useMemo(() => ({ state, ...actions }), [state, actions]);
}
