// A question of the page's own, before something ends.
import { useCallback, useEffect, useId, useRef, useState, type ReactNode } from "react";

interface Question {
  title: ReactNode;
  /** What it ends. */
  ends: ReactNode;
  /** What the button says that does it. */
  verb: string;
}

interface Asked extends Question {
  answer: (yes: boolean) => void;
}

/** Asks, and is drawn where `question` stands. Whoever goes before it is
 * answered takes it along: then nothing is done. */
export function useAsk() {
  const [asked, setAsked] = useState<Asked | null>(null);
  const ask = useCallback((question: Question) => new Promise<boolean>((answer) => setAsked({ ...question, answer })), []);
  const question = asked ? <Ask {...asked} answer={(yes) => { setAsked(null); asked.answer(yes); }} /> : null;
  const dismiss = useCallback(() => setAsked(null), []);
  return { ask, dismiss, question };
}

function Ask({ title, ends, verb, answer }: Asked) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  // The first button has the focus then; closed, it goes back to the opener.
  useEffect(() => dialog.current?.showModal(), []);
  // No form: it may stand within one.
  return (
    <dialog
      ref={dialog} className="ask" role="alertdialog" aria-labelledby={`${id}-title`} aria-describedby={`${id}-ends`}
      onClose={() => answer(dialog.current?.returnValue === "yes")}
    >
      <h2 id={`${id}-title`}>{title}</h2>
      <p id={`${id}-ends`}>{ends}</p>
      <div className="row">
        <button type="button" className="button" onClick={() => dialog.current?.close()}>Cancel</button>
        <button type="button" className="button danger" onClick={() => dialog.current?.close("yes")}>{verb}</button>
      </div>
    </dialog>
  );
}
