// Fingers: one touches, held still it is the right button, two turn the wheel.
import type { Command } from "./messages";

/** How long a finger rests before it means the right button. */
const LONG_PRESS = 550;
/** How far a resting finger may tremble, in CSS pixels. */
const TREMBLE = 10;

interface Point {
  x: number;
  y: number;
}

export class Fingers {
  private fingers = new Map<number, Point>();
  private begun: Point | null = null;
  private held = false;
  private timer = 0;

  /** `at` says where a point of the page is on the remote screen. */
  constructor(private send: (command: Command) => void, private at: (point: Point) => Point) {}

  down(event: PointerEvent) {
    const here = { x: event.clientX, y: event.clientY };
    this.fingers.set(event.pointerId, here);
    clearTimeout(this.timer);
    if (this.fingers.size > 1) {
      this.letGo(here);
      this.begun = null;
      return;
    }
    this.begun = here;
    this.send({ type: "move", ...this.at(here) });
    this.timer = window.setTimeout(() => {
      if (!this.begun || this.held) return;
      this.begun = null;
      for (const down of [true, false]) this.send({ type: "button", ...this.at(here), button: 2, down });
      navigator.vibrate?.(20);
    }, LONG_PRESS);
  }

  move(event: PointerEvent) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const here = { x: event.clientX, y: event.clientY };
    this.fingers.set(event.pointerId, here);
    if (this.fingers.size > 1) {
      // Each of two fingers carries half of the way.
      const turn = (delta: number) => Math.round((delta * 3) / this.fingers.size);
      this.send({ type: "wheel", ...this.at(here), right: -turn(here.x - before.x), up: turn(here.y - before.y) });
      return;
    }
    if (!this.begun) return;
    const far = Math.hypot(here.x - this.begun.x, here.y - this.begun.y) > TREMBLE;
    if (far && !this.held) {
      clearTimeout(this.timer);
      this.held = true;
      this.send({ type: "button", ...this.at(this.begun), button: 0, down: true });
    }
    if (this.held) this.send({ type: "move", ...this.at(here) });
  }

  up(event: PointerEvent) {
    clearTimeout(this.timer);
    const here = { x: event.clientX, y: event.clientY };
    this.fingers.delete(event.pointerId);
    if (this.held) this.letGo(here);
    else if (this.begun && this.fingers.size === 0) {
      for (const down of [true, false]) this.send({ type: "button", ...this.at(this.begun), button: 0, down });
    }
    this.begun = null;
  }

  /** Nothing that was only begun happens any more. */
  rest() {
    clearTimeout(this.timer);
  }

  cancel() {
    this.rest();
    this.fingers.clear();
    this.begun = null;
    this.held = false;
    this.send({ type: "reset" });
  }

  private letGo(here: Point) {
    if (!this.held) return;
    this.held = false;
    this.send({ type: "button", ...this.at(here), button: 0, down: false });
  }
}
