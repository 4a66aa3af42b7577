// The canvas, and everything that hands and keyboards do on it.
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from "react";

import { Keyboard, type TypingMode } from "./keyboard";
import type { Command } from "./messages";
import type { ViewerState } from "./state";

export type Scale = "fit" | "one";

interface Props {
  holder: RefObject<HTMLDivElement | null>;
  pointer: RefObject<HTMLDivElement | null>;
  state: ViewerState;
  send: (command: Command) => void;
  scale: Scale;
  typing: TypingMode;
  inControl: boolean;
  children: ReactNode;
}

export function Stage({ holder, pointer, state, send, scale, typing, inControl, children }: Props) {
  const stage = useRef<HTMLDivElement>(null);
  const keys = useRef<HTMLTextAreaElement>(null);
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
    const at = (event: MouseEvent) => {
      const box = area.getBoundingClientRect();
      return { x: Math.floor((event.clientX - box.left) / factor), y: Math.floor((event.clientY - box.top) / factor) };
    };
    const move = (event: PointerEvent) => send({ type: "move", ...at(event) });
    const press = (event: PointerEvent) => {
      event.preventDefault();
      keys.current?.focus({ preventScroll: true });
      area.setPointerCapture(event.pointerId);
      send({ type: "button", ...at(event), button: event.button, down: true });
    };
    const release = (event: PointerEvent) => send({ type: "button", ...at(event), button: event.button, down: false });
    // A second button changes without a new press.
    const both = (event: PointerEvent) => {
      if (event.button >= 0) send({ type: "button", ...at(event), button: event.button, down: (event.buttons & [1, 4, 2, 8, 16][event.button]!) !== 0 });
      else move(event);
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 40 : event.deltaMode === 2 ? 800 : 1.2;
      const notches = (delta: number) => Math.round(-delta * unit);
      send({ type: "wheel", ...at(event), right: -notches(event.deltaX), up: notches(event.deltaY) });
    };
    const lost = () => send({ type: "reset" });
    const none = (event: Event) => event.preventDefault();
    area.addEventListener("pointermove", both);
    area.addEventListener("pointerdown", press);
    area.addEventListener("pointerup", release);
    area.addEventListener("pointercancel", lost);
    area.addEventListener("wheel", wheel, { passive: false });
    area.addEventListener("contextmenu", none);
    return () => {
      area.removeEventListener("pointermove", both);
      area.removeEventListener("pointerdown", press);
      area.removeEventListener("pointerup", release);
      area.removeEventListener("pointercancel", lost);
      area.removeEventListener("wheel", wheel);
      area.removeEventListener("contextmenu", none);
    };
  }, [holder, inControl, factor, send]);

  useEffect(() => {
    const field = keys.current;
    if (!field || !inControl) return;
    const down = (event: KeyboardEvent) => {
      if (!keyboard.press(event, typing, layout.current)) event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      keyboard.release(event);
      event.preventDefault();
    };
    // What is composed, pasted by an input method, or comes from a phone.
    const input = (event: Event) => {
      if ((event as InputEvent).isComposing) return;
      if (field.value) send({ type: "text", text: field.value });
      field.value = "";
    };
    const composed = () => {
      if (field.value) send({ type: "text", text: field.value });
      field.value = "";
    };
    const reset = () => keyboard.reset();
    field.addEventListener("keydown", down);
    field.addEventListener("keyup", up);
    field.addEventListener("input", input);
    field.addEventListener("compositionend", composed);
    field.addEventListener("blur", reset);
    window.addEventListener("blur", reset);
    field.focus({ preventScroll: true });
    return () => {
      field.removeEventListener("keydown", down);
      field.removeEventListener("keyup", up);
      field.removeEventListener("input", input);
      field.removeEventListener("compositionend", composed);
      field.removeEventListener("blur", reset);
      window.removeEventListener("blur", reset);
    };
  }, [inControl, keyboard, typing, send]);

  return (
    <div className={factor * ratio === 1 ? "stage crisp" : "stage"} ref={stage}>
      <div className="holder">
        <div ref={holder} />
        {state.size && !inControl ? <div className="remote-pointer" ref={pointer} aria-hidden="true" /> : null}
      </div>
      <textarea ref={keys} className="keys" aria-label="Keyboard input for the remote computer" autoCapitalize="off" autoComplete="off" spellCheck={false} tabIndex={inControl ? 0 : -1} />
      {children}
    </div>
  );
}
