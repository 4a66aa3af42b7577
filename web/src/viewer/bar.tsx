// The viewer's bar.
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, Eye, Gauge, Hand, Keyboard as KeyboardIcon, Maximize, MessageSquare, Minimize, Monitor, Power, UserPlus, Users } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode, type RefObject } from "react";

import { answer, api, type Session } from "../api/client";
import { useMe } from "../api/queries";
import { useAsk } from "../ui/ask";
import { Failure } from "../ui/parts";
import type { Connection } from "./connection";
import type { TypingMode } from "./keyboard";
import { People } from "./people";
import { QualityChoice, USUAL } from "./quality";
import type { Scale } from "./stage";
import { controllerName, type ViewerState } from "./state";

interface Props {
  /** Where the host key leads. */
  bar: RefObject<HTMLDivElement | null>;
  /** Back to the remote screen, where it takes keys. */
  enter: () => void;
  id: string;
  connection: Connection;
  inControl: boolean;
  full: boolean;
  toggleFull: () => void;
  scale: Scale;
  setScale: (scale: Scale) => void;
  typing: TypingMode;
  setTyping: (typing: TypingMode) => void;
  chatOpen: boolean;
  setChatOpen: (open: boolean) => void;
  session: Session | undefined;
}

const SPECIAL: [string, string][] = [
  ["ctrl_alt_del", "Ctrl + Alt + Del"],
  ["win", "Windows key"],
  ["win_r", "Win + R"],
  ["alt_tab", "Alt + Tab"],
  ["alt_f4", "Alt + F4"],
  ["ctrl_esc", "Ctrl + Esc"],
  ["print_screen", "Print Screen"],
  ["lock", "Lock the screen"],
];

export function Bar(props: Props) {
  const { bar, enter, id, connection, inControl, full, toggleFull, scale, setScale, typing, setTyping, chatOpen, setChatOpen, session } = props;
  const { state, send } = connection;
  const me = useMe();
  const navigate = useNavigate();
  const mayControl = me.data?.permissions.includes("control") ?? false;
  const request = useMutation({
    mutationFn: () => answer(api.POST("/api/sessions/{id}/request-control", { params: { path: { id } } })),
  });
  // Whatever came of it, the question is no longer open.
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current && !state.asking) request.reset();
    asked.current = state.asking;
  }, [state.asking, request]);
  const end = useMutation({
    mutationFn: () => answer(api.DELETE("/api/sessions/{id}", { params: { path: { id } } })),
    onSuccess: () => void navigate({ to: "/" }),
  });
  const others = state.people.length - 1;
  const { ask, dismiss, question } = useAsk();
  const askEnd = async () => {
    const also = others > 0 ? ` for you and ${others} other${others > 1 ? "s" : ""}` : "";
    if (await ask({ title: `End the session${also}?`, ends: "The person’s computer is released at once.", verb: "End session" })) end.mutate();
  };
  const [quality, setQuality] = useState(USUAL);
  const [peopleOpen, setPeopleOpen] = useState(false);
  const over = state.phase === "ended";
  // Then there is nothing left to ask about.
  useEffect(() => { if (over) dismiss(); }, [over, dismiss]);
  const mayEnd = session?.created_by === me.data?.id || (me.data?.permissions.includes("manage_sessions") ?? false);
  return (
    <>
      <div className="viewer-bar" role="toolbar" aria-label="Session" ref={bar} onKeyDown={(e) => { if (e.key === "Escape" && !e.defaultPrevented) enter(); }}>
        <span className="handle" aria-hidden="true" />
        <Link to="/" className="button plain" aria-label="Back to sessions" title="Back to sessions"><ArrowLeft aria-hidden="true" /></Link>
        <span className="machine" title={[state.machine, state.system].filter(Boolean).join(" · ")}><bdi>{state.machine || session?.machine?.hostname || "…"}</bdi></span>
        <Standing state={state} inControl={inControl} />
        {state.access === "view_only" && mayControl && !over ? (
          <button className="button" onClick={() => request.mutate()} disabled={request.isPending || state.asking || state.phase !== "live"}>
            {state.asking ? "Asking the person…" : "Ask for control"}
          </button>
        ) : null}
        {state.access === "control" && !inControl && state.phase === "live" ? (
          <button className="button primary long" onClick={() => { send({ type: "control", take: true }); enter(); }}>
            {state.controller ? `Take over from ${controllerName(state) || "the other"}` : "Take control"}
          </button>
        ) : null}
        {inControl ? <button className="button" onClick={() => send({ type: "control", take: false })}>Only watch</button> : null}
        <span className="fill"><Failure error={request.error ?? end.error} /></span>
        {state.displays.length > 1 ? (
          <label><span className="hidden-text">Display</span>
            <select value={state.display} onChange={(e) => { send({ type: "display", id: Number(e.target.value) }); enter(); }}>
              {state.displays.map((display, index) => (
                <option key={display.id} value={display.id}>Display {index + 1}{display.primary ? " (main)" : ""}: {display.width}×{display.height}</option>
              ))}
            </select>
          </label>
        ) : null}
        {inControl ? (
          <Menu label="Keys" icon={<KeyboardIcon aria-hidden="true" />}>
            {(close) => (
              <>
                {SPECIAL.map(([name, label]) => (
                  <button key={name} className="button plain" onClick={() => { send({ type: "special", name }); close(); enter(); }}>{label}</button>
                ))}
                <label>Typing{" "}
                  <select value={typing} onChange={(e) => { setTyping(e.target.value as TypingMode); }}>
                    <option value="auto">automatic</option>
                    <option value="keys">by key</option>
                    <option value="characters">by character</option>
                  </select>
                </label>
                <span className="muted">Pause, or Ctrl + Alt + Home, leads from the remote screen to this bar; Escape leads back.</span>
              </>
            )}
          </Menu>
        ) : null}
        {inControl ? (
          <button className="button touch-only" onClick={enter}><KeyboardIcon aria-hidden="true" /> Type</button>
        ) : null}
        <button className="button" onClick={() => { setScale(scale === "fit" ? "one" : "fit"); enter(); }} title="Size of the picture">
          <Monitor aria-hidden="true" /> {scale === "fit" ? "Fit" : "1:1"}
        </button>
        <Menu label={String(Math.max(1, state.people.length))} title="Who is here" toggled={setPeopleOpen} icon={<Users aria-hidden="true" />}>
          {() => (
            <>
              <People id={id} state={state} open={peopleOpen} />
              {mayEnd && !over ? <Invite id={id} /> : null}
            </>
          )}
        </Menu>
        <button className="button" aria-pressed={chatOpen} onClick={() => setChatOpen(!chatOpen)} title="Chat with the person">
          <MessageSquare aria-hidden="true" /> Chat{state.unread > 0 ? ` (${state.unread})` : ""}
        </button>
        <Menu label="Picture" title="Picture quality and statistics" hideLabel icon={<Gauge aria-hidden="true" />}>
          {() => (
            <>
              {state.access === "control" ? (
                <QualityChoice quality={quality} choose={(chosen) => { setQuality(chosen); send({ type: "quality", quality: chosen }); }} />
              ) : null}
              <Numbers connection={connection} />
            </>
          )}
        </Menu>
        {document.fullscreenEnabled ? <button className="button" onClick={toggleFull} aria-label={full ? "Leave full screen" : "Full screen"} title={full ? "Leave full screen" : "Full screen"}>
          {full ? <Minimize aria-hidden="true" /> : <Maximize aria-hidden="true" />}
        </button> : null}
        {mayEnd && !over ? <button className="button danger" onClick={() => void askEnd()} disabled={end.isPending}><Power aria-hidden="true" /> End</button> : null}
      </div>
      {question}
    </>
  );
}

/** What this viewer is just now; nothing where the picture is not live. */
function Standing({ state: { phase, failure }, inControl }: { state: ViewerState; inControl: boolean }) {
  if (failure?.code === "CONSENT_PENDING") return <span className="badge">Asking</span>;
  if (phase === "ended") return <span className="badge">Ended</span>;
  if (phase === "connecting") return null;
  if (phase !== "live") return <span className="badge watch">Line lost</span>;
  if (inControl) return <span className="badge"><Hand size={13} aria-hidden="true" /> You control</span>;
  return <span className="badge watch"><Eye size={13} aria-hidden="true" /> View only</span>;
}

function Menu({ label, title, hideLabel, toggled, icon, children }: { label: string; title?: string; hideLabel?: boolean; toggled?: (open: boolean) => void; icon: ReactNode; children: (close: () => void) => ReactNode }) {
  const details = useRef<HTMLDetailsElement>(null);
  const close = () => {
    if (details.current) details.current.open = false;
  };
  return (
    <details ref={details} onToggle={(e) => toggled?.(e.currentTarget.open)} onKeyDown={(e) => {
      if (e.key !== "Escape" || !details.current?.open) return;
      e.preventDefault();
      close();
      details.current.querySelector("summary")?.focus();
    }} onBlur={(e) => { if (!e.currentTarget.contains(e.relatedTarget)) close(); }}>
      <summary className="button" title={title ?? label} aria-label={hideLabel ? label : undefined}>
        {icon} {title ? <span className="hidden-text">{title}: </span> : null}{hideLabel ? null : label}
      </summary>
      <div className="panel" tabIndex={-1}>{children(close)}</div>
    </details>
  );
}

/** So many colleagues are found at a glance; more are searched. */
const GLANCE = 24;

function Invite({ id }: { id: string }) {
  const [typed, setTyped] = useState("");
  const q = typed.trim() || undefined;
  const colleagues = useQuery({
    queryKey: ["colleagues", q],
    queryFn: () => answer(api.GET("/api/colleagues", { params: { query: { q, limit: GLANCE } } })),
    retry: false,
    placeholderData: keepPreviousData,
  });
  const invited = useQuery({
    queryKey: ["session", id, "invitations"],
    queryFn: () => answer(api.GET("/api/sessions/{id}/invitations", { params: { path: { id }, query: { limit: 200 } } })),
  });
  const invite = useMutation({
    mutationFn: (user_id: string) => answer(api.POST("/api/sessions/{id}/invitations", { params: { path: { id } }, body: { user_id } })),
    onSuccess: () => void invited.refetch(),
  });
  const withdraw = useMutation({
    mutationFn: (user_id: string) => answer(api.DELETE("/api/sessions/{id}/invitations/{user_id}", { params: { path: { id, user_id } } })),
    onSuccess: () => void invited.refetch(),
  });
  const guests = new Set(invited.data?.items.map((guest) => guest.user_id));
  const free = colleagues.data?.items.filter((colleague) => !guests.has(colleague.id)) ?? [];
  const more = colleagues.data?.next != null;
  return (
    <>
      {invited.data?.items.map((guest) => (
        <button key={guest.user_id} className="button plain long" onClick={() => withdraw.mutate(guest.user_id)}>Withdraw invitation: {guest.display_name}</button>
      ))}
      {more || typed ? (
        <input type="search" className="find" aria-label="Find a colleague" placeholder="Find a colleague" value={typed} onChange={(e) => setTyped(e.target.value)} />
      ) : null}
      {free.map((colleague) => (
        <button key={colleague.id} className="button plain long" disabled={colleagues.isPlaceholderData} onClick={() => invite.mutate(colleague.id)}>
          <UserPlus aria-hidden="true" /> Invite <bdi>{colleague.display_name}</bdi>
        </button>
      ))}
      {colleagues.data && free.length === 0 ? <span className="muted">{typed ? "Nobody else has this name." : "There is nobody else to invite."}</span> : null}
      {more ? <span className="muted">There are more: type a part of the name.</span> : null}
      <Failure error={invite.error ?? withdraw.error ?? colleagues.error ?? invited.error} />
    </>
  );
}

function milliseconds(time: number | null): string {
  return time === null ? "–" : `${time.toFixed(1)} ms`;
}

function Numbers({ connection }: { connection: Connection }) {
  const { statistics, size } = connection.state;
  if (!statistics) return <span className="muted">No numbers yet</span>;
  return (
    <dl>
      <dt>Latency, input to picture</dt><dd>{milliseconds(statistics.latency)}</dd>
      <dt>Encoding, there</dt><dd>{milliseconds(statistics.encoded)}</dd>
      <dt>Decoding, here</dt><dd>{milliseconds(statistics.decoded)}</dd>
      <dt>Pictures</dt><dd>{statistics.frames} / s</dd>
      <dt>Data</dt><dd>{((statistics.bytes * 8) / 1e6).toFixed(2)} Mbit/s</dd>
      <dt>Coded as</dt><dd>{statistics.codec}</dd>
      <dt>Size</dt><dd>{size ? `${size.width}×${size.height}` : "–"}</dd>
    </dl>
  );
}
