// What the page knows of the session, changed by reports alone.
import type { Access, Display, Layout, Person, Report, Statistics } from "./messages";

export interface ViewerState {
  phase: "connecting" | "live" | "suspended" | "lost" | "ended";
  viewer: number;
  access: Access | null;
  controller: number;
  controllerName: string;
  machine: string;
  system: string;
  people: Person[];
  displays: Display[];
  display: number;
  size: { width: number; height: number } | null;
  obstacle: string;
  notice: string;
  ended: string;
  layout: Layout;
  chat: { from: string; text: string; own: boolean }[];
  unread: number;
  statistics: Statistics | null;
  /** Counts up when the page should mint a token and open the socket anew. */
  attempt: number;
  lostSince: number;
  retryAfter: number;
}

export const initial: ViewerState = {
  phase: "connecting", viewer: 0, access: null, controller: 0, controllerName: "", machine: "", system: "", people: [],
  displays: [], display: 0, size: null, obstacle: "", notice: "", ended: "", layout: {}, chat: [], unread: 0, statistics: null,
  attempt: 0, lostSince: 0, retryAfter: 0,
};

export type Change =
  | Report
  | { type: "retry" }
  | { type: "refused"; text: string; final: boolean }
  | { type: "read" }
  | { type: "dismiss" };

/** The last lines of a conversation that are kept. */
const LINES = 200;

export function reduce(state: ViewerState, change: Change): ViewerState {
  switch (change.type) {
    case "welcome":
      return {
        ...state, phase: "live", viewer: change.viewer, access: change.access, controller: change.controller,
        machine: change.machine, system: change.system, people: change.present, lostSince: 0, notice: "",
      };
    case "joined":
      return { ...state, people: [...state.people.filter((other) => other.viewer !== change.person.viewer), change.person] };
    case "left":
      return { ...state, people: state.people.filter((other) => other.viewer !== change.viewer) };
    case "control": {
      const mine = change.controller === state.viewer;
      const lost = state.controller === state.viewer && !mine && change.controller !== 0;
      const notice = lost ? `${change.name} has taken control.` : mine ? "You are in control." : state.notice;
      return { ...state, controller: change.controller, controllerName: change.name, notice };
    }
    case "notice":
      if (change.phase === "raised") return { ...state, notice: change.text, attempt: state.attempt + 1 };
      if (change.phase === "suspended") return { ...state, phase: "suspended", lostSince: Date.now() };
      if (change.phase === "live") return { ...state, phase: "live", lostSince: 0, notice: change.text };
      return { ...state, notice: change.text };
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
      if (change.may_retry) return { ...state, notice: change.text, retryAfter: change.retry_after };
      return { ...state, phase: "ended", ended: change.text || "The session has ended." };
    case "closed":
      if (state.phase === "ended") return state;
      return { ...state, phase: "lost", lostSince: state.lostSince || Date.now() };
    case "broken":
      return { ...state, phase: "ended", ended: change.text };
    case "refused":
      if (change.final) return { ...state, phase: "ended", ended: change.text };
      return { ...state, phase: "lost", notice: change.text, lostSince: state.lostSince || Date.now() };
    case "retry":
      return { ...state, attempt: state.attempt + 1, retryAfter: 0 };
    default:
      return state;
  }
}
