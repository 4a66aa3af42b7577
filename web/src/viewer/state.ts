// What the page knows of the session, changed by reports alone.
import type { ApiFailure } from "../api/client";
import type { Access, Display, Layout, Person, Report, Statistics } from "./messages";

export interface Line {
  from: string;
  text: string;
  own: boolean;
}

export interface ViewerState {
  phase: "connecting" | "live" | "suspended" | "lost" | "ended";
  viewer: number;
  access: Access | null;
  controller: number;
  machine: string;
  system: string;
  people: Person[];
  displays: Display[];
  display: number;
  size: { width: number; height: number } | null;
  obstacle: string;
  notice: string;
  /** What the server said when it closed a line that may be opened again. */
  farewell: string;
  /** The person is being asked to allow more. */
  asking: boolean;
  ended: string;
  /** It is the login that ended, not the session. */
  loggedOut: boolean;
  /** What the server said when it let nobody in. */
  failure: ApiFailure | null;
  layout: Layout;
  chat: Line[];
  unread: number;
  statistics: Statistics | null;
  /** Counts up when the page should mint a token and open the socket anew. */
  attempt: number;
  /** An attempt is under way. */
  trying: boolean;
  lostSince: number;
  retryAfter: number;
}

export const initial: ViewerState = {
  phase: "connecting", viewer: 0, access: null, controller: 0, machine: "", system: "", people: [], displays: [], display: 0,
  size: null, obstacle: "", notice: "", farewell: "", asking: false, ended: "", loggedOut: false, failure: null, layout: {}, chat: [],
  unread: 0, statistics: null, attempt: 0, trying: true, lostSince: 0, retryAfter: 0,
};

export type Change =
  | Report
  | { type: "retry" }
  | { type: "refused"; failure: ApiFailure; final: boolean }
  | { type: "read" }
  | { type: "dismiss" };

/** The last lines of a conversation that are kept. */
const LINES = 200;
/** `DISCONNECT_CREDENTIAL_ENDED` in the schema. */
const CREDENTIAL_ENDED = 5;

/** Who controls, by name. */
export function controllerName(state: ViewerState): string {
  return state.people.find((person) => person.viewer === state.controller)?.name ?? "";
}

/** Whether what this viewer does reaches the remote machine. */
export function isInControl(state: ViewerState): boolean {
  return state.phase === "live" && state.access === "control" && state.viewer !== 0 && state.controller === state.viewer;
}

export function reduce(state: ViewerState, change: Change): ViewerState {
  switch (change.type) {
    case "welcome":
      return {
        ...state, phase: change.suspended ? "suspended" : "live", viewer: change.viewer, access: change.access, controller: change.controller,
        machine: change.machine, system: change.system, people: change.present,
        lostSince: change.suspended ? state.lostSince || Date.now() : 0, retryAfter: 0, trying: false,
        failure: null, asking: false, farewell: "",
      };
    case "joined":
      return { ...state, people: [...state.people.filter((other) => other.viewer !== change.person.viewer), change.person] };
    case "left":
      return { ...state, people: state.people.filter((other) => other.viewer !== change.viewer) };
    case "control": {
      const mine = change.controller === state.viewer;
      const lost = state.controller === state.viewer && !mine && change.controller !== 0;
      const notice = lost ? `${change.name} has taken control.` : mine ? "You are in control." : state.notice;
      return { ...state, controller: change.controller, notice };
    }
    case "notice":
      return noticed(state, change.phase, change.text);
    case "stream":
      // A word about one thing that did not work is no reason to hide the picture.
      if (change.displays.length === 0 && change.obstacle && state.size) return { ...state, notice: change.obstacle };
      return {
        ...state, obstacle: change.obstacle, display: change.displays.length ? change.display : state.display,
        displays: change.displays.length ? change.displays : state.displays,
      };
    case "layout":
      return { ...state, layout: change.keys };
    case "size":
      return { ...state, size: { width: change.width, height: change.height }, display: change.display };
    case "chat": {
      const own = !change.from_person && change.from === state.people.find((p) => p.viewer === state.viewer)?.name;
      const line = { from: change.from_person ? "The person" : change.from, text: change.text, own };
      return { ...state, chat: [...state.chat, line].slice(-LINES), unread: own ? state.unread : state.unread + 1 };
    }
    case "read":
      return { ...state, unread: 0 };
    case "dismiss":
      return { ...state, notice: "" };
    case "statistics":
      return { ...state, statistics: change };
    case "goodbye":
      if (change.may_retry) return { ...state, farewell: change.text, retryAfter: change.retry_after };
      return { ...state, phase: "ended", ended: change.text || "The session has ended.", loggedOut: change.code === CREDENTIAL_ENDED };
    case "closed":
      if (state.phase === "ended") return state;
      return { ...state, phase: "lost", trying: false, lostSince: state.lostSince || Date.now() };
    case "broken":
      return { ...state, phase: "ended", ended: change.text };
    case "refused":
      if (change.final) return { ...state, phase: "ended", ended: change.failure.message, failure: change.failure, loggedOut: change.failure.status === 401 };
      return {
        ...state, phase: "lost", trying: false, failure: change.failure, lostSince: state.lostSince || Date.now(),
        retryAfter: change.failure.retryAfter ?? 0,
      };
    case "retry":
      return { ...state, attempt: state.attempt + 1, trying: true };
    default:
      return state;
  }
}

type Phase = Extract<Report, { type: "notice" }>["phase"];

function noticed(state: ViewerState, phase: Phase, text: string): ViewerState {
  switch (phase) {
    case "raised":
      return { ...state, notice: text, asking: false, attempt: state.attempt + 1, trying: true };
    case "refused":
      return { ...state, notice: text, asking: false };
    case "asking":
      return { ...state, notice: text, asking: true };
    case "suspended":
      return { ...state, phase: "suspended", asking: false, lostSince: Date.now() };
    case "live":
      return { ...state, phase: "live", lostSince: 0, notice: text };
  }
}
