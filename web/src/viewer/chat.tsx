// The conversation with the person.
import { X } from "lucide-react";
import { useEffect, useRef, useState, type FormEvent } from "react";

import type { Line } from "./state";

interface Props {
  lines: Line[];
  /** Whether the person's computer can be reached. */
  reachable: boolean;
  send: (text: string) => void;
  close: () => void;
}

export function Chat({ lines, reachable, send, close }: Props) {
  const [text, setText] = useState("");
  const end = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // What some browsers answer here is no clean-up.
    end.current?.scrollIntoView({ block: "end" });
  }, [lines]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // What cannot be sent stays in the field.
    if (!reachable || !text.trim()) return;
    send(text.trim());
    setText("");
  };
  return (
    <section className="chat" aria-label="Chat with the person" onKeyDown={(e) => { if (e.key === "Escape") close(); }}>
      <header>
        <h2>Chat</h2>
        <button className="button plain" onClick={close} aria-label="Close chat"><X aria-hidden="true" /></button>
      </header>
      <ol aria-live="polite">
        {lines.length === 0 ? <li className="muted">The person reads what you write in the notice on their screen.</li> : null}
        {lines.map((line, index) => <li key={index}><b><bdi>{line.own ? "You" : line.from}</bdi>:</b> <bdi>{line.text}</bdi></li>)}
        <li ref={end} />
      </ol>
      <form onSubmit={submit}>
        <input value={text} onChange={(e) => setText(e.target.value)} maxLength={2000} aria-label="Message" placeholder="Write to the person" autoFocus />
        <button className="button" disabled={!reachable}>{reachable ? "Send" : "Not connected"}</button>
      </form>
    </section>
  );
}
