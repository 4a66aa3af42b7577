// From key events to keys or characters.
import type { Command } from "./messages";

/** What each key types on the keyboard that scan codes are named after. */
const PLAIN: Record<string, string> = {
  Backquote: "`~", Minus: "-_", Equal: "=+", BracketLeft: "[{", BracketRight: "]}", Backslash: "\\|", Semicolon: ";:",
  Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?", Space: "  ",
  Digit1: "1!", Digit2: "2@", Digit3: "3#", Digit4: "4$", Digit5: "5%", Digit6: "6^", Digit7: "7&", Digit8: "8*", Digit9: "9(", Digit0: "0)",
};

export type TypingMode = "auto" | "keys" | "characters";

function plain(code: string, shift: boolean): string | null {
  if (/^Key[A-Z]$/.test(code)) {
    const letter = code.slice(3);
    return shift ? letter : letter.toLowerCase();
  }
  return PLAIN[code]?.[shift ? 1 : 0] ?? null;
}

export function modifiers(event: KeyboardEvent | MouseEvent): number {
  const caps = event.getModifierState("CapsLock") ? 16 : 0;
  const num = event.getModifierState("NumLock") ? 32 : 0;
  return (event.shiftKey ? 1 : 0) | (event.ctrlKey ? 2 : 0) | (event.altKey ? 4 : 0) | (event.metaKey ? 8 : 0) | caps | num;
}

/** Keys that are down as keys, so that only those come up as keys. */
export class Keyboard {
  private down = new Set<string>();

  constructor(private send: (command: Command) => void) {}

  /** Whether the page should leave the event alone. */
  press(event: KeyboardEvent, mode: TypingMode): boolean {
    // A character that is being composed arrives as text.
    if (event.isComposing || event.key === "Process" || event.key === "Dead") return true;
    const printable = [...event.key].length === 1;
    const altGraph = event.getModifierState("AltGraph");
    const shortcut = (event.ctrlKey || event.altKey || event.metaKey) && !altGraph;
    if (printable && !shortcut && mode !== "keys" && event.code !== "") {
      const shift = event.shiftKey !== event.getModifierState("CapsLock") && /^Key/.test(event.code) ? true : event.shiftKey;
      const same = plain(event.code, shift) === event.key || /^Numpad/.test(event.code);
      if (mode === "characters" || !same || altGraph) {
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

  /** Focus is gone: nothing stays down. */
  reset() {
    this.down.clear();
    this.send({ type: "reset" });
  }
}
