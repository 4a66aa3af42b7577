// Minting a token, opening the socket, coming back.
import { useEffect, useMemo, useReducer, useRef, type RefObject } from "react";

import { answer, api, ApiFailure } from "../api/client";
import { cssCursor } from "./cursor";
import type { Command, Report } from "./messages";
import { initial, reduce, type ViewerState } from "./state";

const FINAL = new Set(["FORBIDDEN", "NOT_FOUND", "SESSION_ENDED", "UNAUTHORIZED"]);

export interface Connection {
  state: ViewerState;
  send: (command: Command) => void;
  retry: () => void;
  read: () => void;
  dismiss: () => void;
}

export function useConnection(id: string, holder: RefObject<HTMLDivElement | null>, pointer: RefObject<HTMLDivElement | null>): Connection {
  const [state, change] = useReducer(reduce, initial);
  const worker = useRef<Worker | null>(null);

  useEffect(() => {
    const element = document.createElement("canvas");
    element.id = "screen";
    element.width = 1;
    element.height = 1;
    holder.current?.replaceChildren(element);
    const started = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const offscreen = element.transferControlToOffscreen();
    started.postMessage({ type: "canvas", canvas: offscreen } satisfies Command, [offscreen]);
    started.onmessage = (event: MessageEvent<Report>) => {
      const report = event.data;
      if (report.type === "cursor") element.style.cursor = cssCursor(report);
      else if (report.type === "pointer") {
        pointer.current?.style.setProperty("--x", String(report.x));
        pointer.current?.style.setProperty("--y", String(report.y));
      } else change(report);
    };
    started.onerror = () => change({ type: "broken", text: "The viewer cannot start in this browser." });
    worker.current = started;
    return () => {
      started.postMessage({ type: "close" } satisfies Command);
      setTimeout(() => started.terminate(), 500);
      worker.current = null;
    };
  }, [id, holder, pointer]);

  useEffect(() => {
    let gone = false;
    const open = async () => {
      try {
        const minted = await answer(api.POST("/api/sessions/{id}/viewer-token", { params: { path: { id } } }));
        if (gone) return;
        const scheme = location.protocol === "https:" ? "wss" : "ws";
        const url = `${scheme}://${location.host}/ws/viewer?session_id=${id}`;
        worker.current?.postMessage({ type: "open", url, token: minted.token } satisfies Command);
      } catch (error) {
        if (gone) return;
        const final = error instanceof ApiFailure && FINAL.has(error.code);
        change({ type: "refused", text: error instanceof Error ? error.message : "Something went wrong.", final });
      }
    };
    void open();
    return () => {
      gone = true;
    };
  }, [id, state.attempt]);

  // A lost line is tried again by itself, soon at first, then less often.
  useEffect(() => {
    if (state.phase !== "lost") return;
    const passed = Date.now() - state.lostSince;
    const usual = Math.min(10_000, 500 + passed / 3) * (0.75 + Math.random() / 2);
    const timer = setTimeout(() => change({ type: "retry" }), Math.max(usual, state.retryAfter * 1000));
    return () => clearTimeout(timer);
  }, [state.phase, state.attempt, state.lostSince, state.retryAfter, state.notice]);

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
