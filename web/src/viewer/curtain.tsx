// Over a picture that is not live: what happened, what is being tried.
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode } from "react";

import { ApiFailure } from "../api/client";
import { useMe } from "../api/queries";
import { Failure, span, useNow } from "../ui/parts";
import type { Connection } from "./connection";

/** No word for so long, and the picture can no longer be believed. */
const SILENCE = 3_000;

export function Curtain({ connection }: { connection: Connection }) {
  const { state } = connection;
  const me = useMe();
  const queries = useQueryClient();
  // The credential has ended: whether with the login or only for this session,
  // the server knows.
  useEffect(() => {
    if (state.loggedOut) void queries.invalidateQueries({ queryKey: ["me"] });
  }, [state.loggedOut, queries]);
  const loggedOut = state.loggedOut && me.error instanceof ApiFailure && me.error.status === 401;
  const now = useNow();
  const since = state.lostSince ? span(now - state.lostSince) : "";
  const silence = state.statistics?.silence ?? 0;
  if (state.phase === "ended" && loggedOut) {
    return (
      <Drawn alert title="You are logged out">
        <p>{state.ended} The session itself goes on.</p>
        <Link to="/login" search={{ to: location.pathname }} className="button primary">Log in</Link>
      </Drawn>
    );
  }
  if (state.phase === "ended" && state.failure?.status === 404) {
    return (
      <Drawn alert title="There is no such session">
        <p>It may have been removed, or you are not, or no longer, invited to it.</p>
        <p className="muted">Request <span className="mono">{state.failure.requestId}</span></p>
        <Link to="/" className="button primary">Back to sessions</Link>
      </Drawn>
    );
  }
  if (state.phase === "ended") {
    return (
      <Drawn alert title={state.loggedOut ? "You are no longer in this session" : "The session is over"}>
        {state.failure ? <Failure error={state.failure} /> : <p>{state.ended}</p>}
        <Link to="/" className="button primary">Back to sessions</Link>
      </Drawn>
    );
  }
  if (state.failure?.code === "CONSENT_PENDING") {
    return (
      <Drawn title="The person is being asked" running={`Waiting for ${since}.`}>
        <p>Nothing is shown before they have said yes.</p>
      </Drawn>
    );
  }
  if (state.phase === "lost") {
    return (
      <Drawn title="The line to the server is lost" running={`Reconnecting by itself, for ${since}.`}>
        {state.farewell ? <p>{state.farewell}</p> : null}
        <Failure error={state.failure} />
        <button className="button" onClick={connection.retry} disabled={state.trying}>{state.trying ? "Trying…" : "Try now"}</button>
      </Drawn>
    );
  }
  if (state.phase === "suspended") {
    return (
      <Drawn title="The computer’s line is lost" running={`Waiting for it to come back, for ${since}.`}>
        <p className="muted">Nobody there has to do anything.</p>
      </Drawn>
    );
  }
  if (state.obstacle) {
    return <Drawn title="There is nothing to see just now"><p>{state.obstacle}</p></Drawn>;
  }
  if (!state.size) {
    return (
      <div className="curtain">
        <span className="connecting" role="status"><span className="spinner" aria-hidden="true" /> Connecting</span>
      </div>
    );
  }
  if (silence >= SILENCE) {
    return <Drawn title="No answer from the server" running={`For ${span(silence)}. What you see is old.`} />;
  }
  return null;
}

interface DrawnProps {
  title: string;
  alert?: boolean;
  /** A number that runs: shown, and not read out each second. */
  running?: string;
  children?: ReactNode;
}

function Drawn({ title, alert, running, children }: DrawnProps) {
  // The keyboard goes where something can be done.
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => card.current?.querySelector<HTMLElement>("a, button")?.focus(), [title]);
  return (
    <div className="curtain">
      <div className="card" ref={card}>
        <div role={alert ? "alert" : "status"}><h1>{title}</h1></div>
        {running ? <p className="muted">{running}</p> : null}
        {children}
      </div>
    </div>
  );
}
