// The viewer: the remote screen, and a thin bar.
import { Link, useParams } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { ApiFailure } from "../api/client";
import { useEvents, useMe, useSession, useSessionsOf } from "../api/queries";
import { useArrivals } from "../pages/arrivals";
import { useTitle } from "../ui/parts";
import { Bar } from "./bar";
import { Chat } from "./chat";
import { useConnection } from "./connection";
import { Curtain } from "./curtain";
import type { TypingMode } from "./keyboard";
import { Stage, type Scale } from "./stage";
import { isInControl } from "./state";

export function ViewerPage() {
  const { id } = useParams({ from: "/sessions/$id/view" });
  const holder = useRef<HTMLDivElement>(null);
  const keys = useRef<HTMLTextAreaElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const root = useRef<HTMLElement>(null);
  const connection = useConnection(id, holder);
  const { state, send } = connection;
  const [scale, setScale] = useState<Scale>("fit");
  const [typing, setTyping] = useState<TypingMode>("auto");
  const [full, setFull] = useState(false);
  const [chatOpen, setChatOpen] = useState(false);
  const me = useMe();
  useEvents(me.isSuccess);
  const session = useSession(id);
  const own = useSessionsOf(me.data?.id);
  const mine = useMemo(() => own.data?.items.filter((other) => other.state !== "ended" && other.id !== id) ?? [], [own.data, id]);
  const arrivals = useArrivals(mine);
  useTitle(`${arrivals}${state.machine || "Session"} · GuruConnect`);
  const inControl = isInControl(state);
  const enter = useCallback(() => keys.current?.focus({ preventScroll: true }), []);
  const leave = useCallback(() => {
    keys.current?.blur();
    bar.current?.querySelector<HTMLElement>("button, summary, a")?.focus();
  }, []);

  useEffect(() => {
    const changed = () => {
      setFull(document.fullscreenElement === root.current);
      enter();
    };
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, [enter]);
  useEffect(() => {
    if (chatOpen && state.unread > 0) connection.read();
  }, [chatOpen, state.unread, connection]);

  // Good news does not stay in the way of the picture; an open question does.
  useEffect(() => {
    if (!state.notice || state.phase !== "live" || state.asking) return;
    const timer = setTimeout(connection.dismiss, 6000);
    return () => clearTimeout(timer);
  }, [state.notice, state.phase, state.asking, connection.dismiss]);

  const toggleFull = useCallback(async () => {
    if (document.fullscreenElement) {
      await document.exitFullscreen();
      return;
    }
    await root.current?.requestFullscreen();
    // Where the browser can, system keys go to the remote machine too.
    const keyboard = (navigator as { keyboard?: { lock?: () => Promise<void> } }).keyboard;
    await keyboard?.lock?.().catch(() => undefined);
  }, []);

  if (me.error instanceof ApiFailure && me.error.status === 401) {
    return (
      <main className="centre">
        <div className="card">
          <h1>You are logged out</h1>
          <Link to="/login" search={{ to: location.pathname }} className="button primary">Log in</Link>
        </div>
      </main>
    );
  }
  return (
    <main className={full ? "viewer full" : "viewer"} ref={root}>
      <Bar
        bar={bar} enter={enter} id={id} connection={connection} inControl={inControl} full={full} toggleFull={() => void toggleFull()} scale={scale}
        setScale={setScale} typing={typing} setTyping={setTyping} chatOpen={chatOpen} setChatOpen={setChatOpen} session={session.data}
      />
      <Stage holder={holder} keys={keys} state={state} send={send} leave={leave} scale={scale} typing={typing} inControl={inControl}>
        <Curtain connection={connection} />
      </Stage>
      <Toasts connection={connection} chatOpen={chatOpen} openChat={() => setChatOpen(true)} />
      {chatOpen ? <Chat lines={state.chat} reachable={state.phase === "live"} send={(text) => send({ type: "chat", text })} close={() => { setChatOpen(false); enter(); }} /> : null}
    </main>
  );
}

/** What has just happened, and what was just said while the chat is closed. */
function Toasts({ connection, chatOpen, openChat }: { connection: ReturnType<typeof useConnection>; chatOpen: boolean; openChat: () => void }) {
  const { state } = connection;
  const last = state.chat.at(-1);
  const said = !chatOpen && state.unread > 0 && last && !last.own ? last : null;
  if (state.phase !== "live" || !(state.notice || said)) return null;
  return (
    <div className="toast">
      <span role="status">
        {said ? <><b>{said.from}:</b> {said.text.slice(0, 200)}</> : state.notice}
      </span>
      {said ? <button className="button plain" onClick={openChat}>Answer</button> : <button className="button plain" onClick={connection.dismiss}>Dismiss</button>}
    </div>
  );
}
