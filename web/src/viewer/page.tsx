// The viewer: the remote screen, and a thin bar.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useCallback, useEffect, useRef, useState } from "react";

import { answer, api, ApiFailure } from "../api/client";
import { useEvents, useMe } from "../api/queries";
import { span, useNow, useTitle } from "../ui/parts";
import { Bar } from "./bar";
import { Chat } from "./chat";
import { useConnection } from "./connection";
import type { TypingMode } from "./keyboard";
import { Stage, type Scale } from "./stage";

export function ViewerPage() {
  const { id } = useParams({ from: "/sessions/$id/view" });
  const holder = useRef<HTMLDivElement>(null);
  const pointer = useRef<HTMLDivElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const connection = useConnection(id, holder, pointer);
  const { state, send } = connection;
  const [scale, setScale] = useState<Scale>("fit");
  const [typing, setTyping] = useState<TypingMode>("auto");
  const [full, setFull] = useState(false);
  const [chatOpen, setChatOpen] = useState(false);
  const me = useMe();
  useEvents(me.isSuccess);
  const session = useQuery({
    queryKey: ["session", id],
    queryFn: () => answer(api.GET("/api/sessions/{id}", { params: { path: { id } } })),
  });
  useTitle(`${state.machine || "Session"} · GuruConnect`);
  const inControl = state.access === "control" && state.controller === state.viewer && state.viewer !== 0;

  useEffect(() => {
    const changed = () => setFull(document.fullscreenElement === root.current);
    document.addEventListener("fullscreenchange", changed);
    return () => document.removeEventListener("fullscreenchange", changed);
  }, []);
  useEffect(() => {
    if (chatOpen && state.unread > 0) connection.read();
  }, [chatOpen, state.unread, connection]);

  // Good news does not stay in the way of the picture.
  useEffect(() => {
    if (!state.notice || state.phase !== "live") return;
    const timer = setTimeout(connection.dismiss, 6000);
    return () => clearTimeout(timer);
  }, [state.notice, state.phase, connection.dismiss]);

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
    <div className={full ? "viewer full" : "viewer"} ref={root}>
      <Bar
        id={id} connection={connection} inControl={inControl} full={full} toggleFull={() => void toggleFull()} scale={scale}
        setScale={setScale} typing={typing} setTyping={setTyping} chatOpen={chatOpen} setChatOpen={setChatOpen} session={session.data}
      />
      <Stage holder={holder} pointer={pointer} state={state} send={send} scale={scale} typing={typing} inControl={inControl}>
        <Curtain connection={connection} />
      </Stage>
      {state.notice && state.phase === "live" ? (
        <div className="toast" role="status">
          {state.notice}
          <button className="button plain" onClick={connection.dismiss}>Dismiss</button>
        </div>
      ) : null}
      {chatOpen ? <Chat lines={state.chat} send={(text) => send({ type: "chat", text })} close={() => setChatOpen(false)} /> : null}
    </div>
  );
}

/** Over a picture that is not live: what happened, what is being tried. */
function Curtain({ connection }: { connection: ReturnType<typeof useConnection> }) {
  const { state } = connection;
  const now = useNow();
  const since = state.lostSince ? span(now - state.lostSince) : "";
  if (state.phase === "ended") {
    return (
      <div className="curtain">
        <div className="card" role="alert">
          <h1>The session is over</h1>
          <p>{state.ended}</p>
          <Link to="/" className="button primary">Back to sessions</Link>
        </div>
      </div>
    );
  }
  if (state.phase === "lost") {
    return (
      <div className="curtain">
        <div className="card" role="status">
          <h1>The line to the server is lost</h1>
          <p className="muted">Reconnecting by itself, for {since}. {state.notice}</p>
          <button className="button" onClick={connection.retry}>Try now</button>
        </div>
      </div>
    );
  }
  if (state.phase === "suspended") {
    return (
      <div className="curtain">
        <div className="card" role="status">
          <h1>The computer’s line is lost</h1>
          <p className="muted">Waiting for it to come back, for {since}. Nobody there has to do anything.</p>
        </div>
      </div>
    );
  }
  if (state.obstacle) {
    return (
      <div className="curtain">
        <div className="card" role="status">
          <h1>There is nothing to see just now</h1>
          <p>{state.obstacle}</p>
        </div>
      </div>
    );
  }
  if (!state.size) {
    return (
      <div className="curtain">
        <span className="connecting" role="status"><span className="spinner" aria-hidden="true" /> Connecting</span>
      </div>
    );
  }
  return null;
}
