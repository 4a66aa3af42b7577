// The conversation with the person.
import { X } from "lucide-react";
import { useEffect, useRef, useState, type FormEvent } from "react";

interface Props {
  lines: { from: string; text: string; own: boolean }[];
  send: (text: string) => void;
  close: () => void;
}

export function Chat({ lines, send, close }: Props) {
  const [text, setText] = useState("");
  const end = useRef<HTMLLIElement>(null);
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [lines]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim()) send(text.trim());
    setText("");
  };
  return (
    <section className="chat" aria-label="Chat with the person">
      <header>
        <h2>Chat</h2>
        <button className="button plain" onClick={close} aria-label="Close chat"><X aria-hidden="true" /></button>
      </header>
      <ol aria-live="polite">
        {lines.length === 0 ? <li className="muted">The person reads what you write in the notice on their screen.</li> : null}
        {lines.map((line, index) => <li key={index}><b>{line.own ? "You" : line.from}:</b> {line.text}</li>)}
        <li ref={end} />
      </ol>
      <form onSubmit={submit}>
        <input value={text} onChange={(e) => setText(e.target.value)} maxLength={2000} aria-label="Message" placeholder="Write to the person" />
        <button className="button">Send</button>
      </form>
    </section>
  );
}
