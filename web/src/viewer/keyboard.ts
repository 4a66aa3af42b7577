// From key events to keys or characters.
import type { Command, Layout } from "./messages";

export type TypingMode = "auto" | "keys" | "characters";

const IS_MAC = /Mac/.test(navigator.platform);

/** Whether the key types the same character on the remote machine as here. */
function typesTheSame(event: KeyboardEvent, layout: Layout): boolean {
  const level = (event.getModifierState("AltGraph") ? 2 : 0) + (event.shiftKey ? 1 : 0);
  return layout[event.code]?.[level] === event.key;
}

export function modifiers(event: KeyboardEvent | MouseEvent): number {
  const caps = event.getModifierState("CapsLock") ? 16 : 0;
  const num = event.getModifierState("NumLock") ? 32 : 0;
  return (event.shiftKey ? 1 : 0) | (event.ctrlKey ? 2 : 0) | (event.altKey ? 4 : 0) | (event.metaKey ? 8 : 0) | caps | num;
}

/** The keys that stay here and lead to the bar: Pause, and Ctrl+Alt+Home. */
export function isHostKey(event: KeyboardEvent): boolean {
  return event.code === "Pause" || (event.code === "Home" && event.ctrlKey && event.altKey);
}

/** Whether Option types a character here, as on a Mac: then it is no Alt. */
function optionTypes(event: KeyboardEvent): boolean {
  return IS_MAC && event.altKey && !event.ctrlKey && !event.metaKey && [...event.key].length === 1;
}

/** Keys that are down as keys, so that only those come up as keys. */
export class Keyboard {
  private down = new Set<string>();

  constructor(private send: (command: Command) => void) {}

  /** Whether the page should leave the event alone. */
  press(event: KeyboardEvent, mode: TypingMode, layout: Layout): boolean {
    // What is being composed arrives as text; by key, the place is what counts.
    const composing = event.isComposing || event.keyCode === 229 || event.key === "Process" || event.key === "Dead";
    if (composing && (mode !== "keys" || event.code === "")) return true;
    const printable = [...event.key].length === 1;
    const altGraph = event.getModifierState("AltGraph") || optionTypes(event);
    const shortcut = (event.ctrlKey || event.altKey || event.metaKey) && !altGraph;
    if (printable && !shortcut && mode !== "keys" && event.code !== "") {
      if (mode === "characters" || !typesTheSame(event, layout)) {
        // Option was pressed as Alt before anybody knew what for.
        if (optionTypes(event)) this.lift("Alt", event);
        this.send({ type: "text", text: event.key });
        return false;
      }
    }
    if (event.code === "") {
      if (printable) this.send({ type: "text", text: event.key });
      return !printable;
    }
    this.down.add(event.code);
    this.send({ type: "key", code: event.code, down: true, repeat: event.repeat, modifiers: modifiers(event) });
    return false;
  }

  release(event: KeyboardEvent) {
    // Some systems tell no release of what went down while their own key was
    // held: with it, everything comes up.
    if (event.code.startsWith("Meta")) {
      for (const code of this.down) {
        if (code !== event.code) this.send({ type: "key", code, down: false, repeat: false, modifiers: modifiers(event) });
      }
      this.down = new Set(this.down.has(event.code) ? [event.code] : []);
    }
    if (!this.down.delete(event.code)) return;
    this.send({ type: "key", code: event.code, down: false, repeat: false, modifiers: modifiers(event) });
  }

  /** Press and let go of one key, for keyboards without places. */
  tap(code: string) {
    for (const down of [true, false]) this.send({ type: "key", code, down, repeat: false, modifiers: 0 });
  }

  /** Focus is gone: nothing stays down. */
  reset() {
    this.down.clear();
    this.send({ type: "reset" });
  }

  private lift(prefix: string, event: KeyboardEvent) {
    for (const code of [...this.down].filter((code) => code.startsWith(prefix))) {
      this.down.delete(code);
      this.send({ type: "key", code, down: false, repeat: false, modifiers: modifiers(event) });
    }
  }
}
