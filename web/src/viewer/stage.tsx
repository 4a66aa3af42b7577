// The canvas, and everything that hands and keyboards do on it.
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from "react";

import { isHostKey, Keyboard, type TypingMode } from "./keyboard";
import type { Command } from "./messages";
import type { ViewerState } from "./state";
import { Fingers } from "./touch";

export type Scale = "fit" | "one";

interface Props {
  holder: RefObject<HTMLDivElement | null>;
  /** Takes what is typed. */
  keys: RefObject<HTMLTextAreaElement | null>;
  state: ViewerState;
  send: (command: Command) => void;
  /** Leads from the remote screen to the bar. */
  leave: () => void;
  scale: Scale;
  typing: TypingMode;
  inControl: boolean;
  children: ReactNode;
}

/** Phones tell that something was deleted only where there is something. */
const SENTINEL = "\u200b";

/** What a phone's keyboard does, as keys. */
const EDITS: Record<string, string> = {
  deleteContentBackward: "Backspace", deleteWordBackward: "Backspace", deleteContentForward: "Delete",
  insertLineBreak: "Enter", insertParagraph: "Enter",
};

export function Stage({ holder, keys, state, send, leave, scale, typing, inControl, children }: Props) {
  const stage = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState({ width: 1, height: 1 });
  const keyboard = useMemo(() => new Keyboard(send), [send]);
  // What holds keys must not begin anew because the layout became known.
  const layout = useRef(state.layout);
  useEffect(() => {
    layout.current = state.layout;
  }, [state.layout]);

  useLayoutEffect(() => {
    const element = stage.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setRoom({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // One picture pixel is one screen pixel at 1:1, whatever the system's scale.
  const ratio = window.devicePixelRatio || 1;
  const size = state.size ?? { width: 1, height: 1 };
  const factor = scale === "one" ? 1 / ratio : Math.min(room.width / size.width, room.height / size.height, 1 / ratio);
  useLayoutEffect(() => {
    const canvas = holder.current?.querySelector("canvas");
    if (!canvas) return;
    canvas.style.width = `${size.width * factor}px`;
    canvas.style.height = `${size.height * factor}px`;
    holder.current?.style.setProperty("--scale", String(factor));
  }, [holder, size.width, size.height, factor, state.phase]);

  useEffect(() => {
    const area = holder.current;
    if (!area || !inControl) return;
    const place = (point: { x: number; y: number }) => {
      const box = area.getBoundingClientRect();
      return { x: Math.floor((point.x - box.left) / factor), y: Math.floor((point.y - box.top) / factor) };
    };
    const at = (event: MouseEvent) => {
      // From here on the clock runs until a picture answers it.
      send({ type: "time", at: performance.timeOrigin + event.timeStamp });
      return place({ x: event.clientX, y: event.clientY });
    };
    const fingers = new Fingers(send, place);
    const isTouch = (event: PointerEvent) => event.pointerType === "touch";
    const press = (event: PointerEvent) => {
      event.preventDefault();
      area.setPointerCapture(event.pointerId);
      if (isTouch(event)) {
        fingers.down(event);
        return;
      }
      keys.current?.focus({ preventScroll: true });
      send({ type: "button", ...at(event), button: event.button, down: true });
    };
    const release = (event: PointerEvent) => {
      if (isTouch(event)) fingers.up(event);
      else send({ type: "button", ...at(event), button: event.button, down: false });
    };
    const move = (event: PointerEvent) => {
      if (isTouch(event)) fingers.move(event);
      // A second button changes without a new press.
      else if (event.button >= 0) send({ type: "button", ...at(event), button: event.button, down: (event.buttons & [1, 4, 2, 8, 16][event.button]!) !== 0 });
      else send({ type: "move", ...at(event) });
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 40 : event.deltaMode === 2 ? 800 : 1.2;
      const notches = (delta: number) => Math.round(-delta * unit);
      send({ type: "wheel", ...at(event), right: -notches(event.deltaX), up: notches(event.deltaY) });
    };
    const lost = () => fingers.cancel();
    const none = (event: Event) => event.preventDefault();
    area.addEventListener("pointermove", move);
    area.addEventListener("pointerdown", press);
    area.addEventListener("pointerup", release);
    area.addEventListener("pointercancel", lost);
    area.addEventListener("wheel", wheel, { passive: false });
    area.addEventListener("contextmenu", none);
    return () => {
      // A finger that still rests must not press anything any more.
      fingers.rest();
      area.removeEventListener("pointermove", move);
      area.removeEventListener("pointerdown", press);
      area.removeEventListener("pointerup", release);
      area.removeEventListener("pointercancel", lost);
      area.removeEventListener("wheel", wheel);
      area.removeEventListener("contextmenu", none);
    };
  }, [holder, keys, inControl, factor, send]);

  useEffect(() => {
    const field = keys.current;
    if (!field || !inControl) return;
    const empty = () => {
      field.value = SENTINEL;
    };
    const down = (event: KeyboardEvent) => {
      if (isHostKey(event)) {
        event.preventDefault();
        leave();
        return;
      }
      send({ type: "time", at: performance.timeOrigin + event.timeStamp });
      if (!keyboard.press(event, typing, layout.current)) event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      keyboard.release(event);
      event.preventDefault();
    };
    // A phone's keyboard has no keys, only what it does to the text.
    const edit = (event: InputEvent) => {
      const code = EDITS[event.inputType];
      if (!code || event.isComposing) return;
      event.preventDefault();
      keyboard.tap(code);
    };
    // What is composed, pasted by an input method, or comes from a phone.
    const take = () => {
      const text = field.value.replaceAll(SENTINEL, "");
      if (text) send({ type: "text", text });
      empty();
    };
    const input = (event: Event) => {
      if (!(event as InputEvent).isComposing) take();
    };
    const reset = () => keyboard.reset();
    field.addEventListener("keydown", down);
    field.addEventListener("keyup", up);
    field.addEventListener("beforeinput", edit);
    field.addEventListener("input", input);
    field.addEventListener("compositionend", take);
    field.addEventListener("blur", reset);
    window.addEventListener("blur", reset);
    empty();
    // Whoever is writing somewhere else goes on writing there.
    const busy = document.activeElement;
    if (!busy || busy === document.body || stage.current?.contains(busy)) field.focus({ preventScroll: true });
    return () => {
      // What was down when control went comes up by the other side's rules;
      // here it is forgotten.
      keyboard.reset();
      field.removeEventListener("keydown", down);
      field.removeEventListener("keyup", up);
      field.removeEventListener("beforeinput", edit);
      field.removeEventListener("input", input);
      field.removeEventListener("compositionend", take);
      field.removeEventListener("blur", reset);
      window.removeEventListener("blur", reset);
    };
  }, [keys, inControl, keyboard, leave, typing, send]);

  const drawn = inControl ? "holder in-control" : "holder";
  return (
    <div className="stage-frame">
      <div className={factor * ratio === 1 ? "stage crisp" : "stage"} ref={stage}>
        <div className={drawn} ref={holder}>
          {state.size && !inControl ? <div className="remote-pointer" aria-hidden="true" /> : null}
        </div>
        <textarea
          ref={keys} className="keys" aria-label="Keyboard input for the remote computer" aria-describedby="host-key" autoCapitalize="off"
          autoComplete="off" spellCheck={false} tabIndex={inControl ? 0 : -1}
        />
        <span id="host-key" className="hidden-text">Pause, or Control Alt Home, leads back to the bar.</span>
      </div>
      {children}
    </div>
  );
}
