// What the page asks of the viewer, and what the viewer tells the page.
export type Access = "view_only" | "control";

export interface Person {
  viewer: number;
  name: string;
  access: Access | null;
}

export interface Display {
  id: number;
  name: string;
  width: number;
  height: number;
  primary: boolean;
}

/** What the remote keys type, by `KeyboardEvent.code`: alone, with Shift, with AltGr, with both. */
export type Layout = Record<string, string[]>;

export type Command =
  | { type: "canvas"; canvas: OffscreenCanvas }
  | { type: "open"; url: string; token: string; display: number }
  | { type: "close" }
  | { type: "time"; at: number }
  | { type: "key"; code: string; down: boolean; repeat: boolean; modifiers: number }
  | { type: "text"; text: string }
  | { type: "move"; x: number; y: number }
  | { type: "button"; x: number; y: number; button: number; down: boolean }
  | { type: "wheel"; x: number; y: number; right: number; up: number }
  | { type: "special"; name: string }
  | { type: "reset" }
  | { type: "control"; take: boolean }
  | { type: "display"; id: number }
  | { type: "chat"; text: string }
  | { type: "quality"; quality: Quality };

/** How pictures are wanted; the agent knows what each means. */
export type Preset = "auto" | "low" | "balanced" | "high" | "custom";

/** The numbers are for custom: most pictures and most kilobits in a second. */
export interface Quality {
  preset: Preset;
  frames: number;
  kbit: number;
}

export interface Statistics {
  frames: number;
  bytes: number;
  /** Input to presented picture, in milliseconds; null without a recent one. */
  latency: number | null;
  /** What a picture took the agent, and this viewer, on average. */
  encoded: number | null;
  decoded: number | null;
  silence: number;
  codec: string;
}

export type Report =
  | { type: "welcome"; viewer: number; access: Access | null; controller: number; suspended: boolean; machine: string; system: string; present: Person[] }
  | { type: "joined"; person: Person }
  | { type: "left"; viewer: number }
  | { type: "control"; controller: number; name: string }
  | { type: "notice"; phase: "live" | "suspended" | "asking" | "raised" | "refused"; text: string }
  | { type: "stream"; display: number; obstacle: string; displays: Display[] }
  | { type: "chat"; from: string; text: string; from_person: boolean }
  | { type: "cursor"; visible: boolean; width: number; height: number; x: number; y: number; rgba: Uint8ClampedArray<ArrayBuffer> }
  | { type: "layout"; keys: Layout }
  | { type: "pointer"; display: number; x: number; y: number }
  | { type: "goodbye"; code: number; text: string; reason: string; may_retry: boolean; retry_after: number }
  | { type: "closed"; code: number; said_goodbye: boolean }
  | { type: "broken"; text: string }
  | { type: "size"; display: number; width: number; height: number }
  | ({ type: "statistics" } & Statistics);
