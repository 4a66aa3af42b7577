// The person being helped: one field, plain words, no jargon.
import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useLayoutEffect, useRef, useState, type ChangeEvent, type FormEvent } from "react";

import { answer, api, type Preview } from "../api/client";
import { Failure, useTitle } from "../ui/parts";

/** Three groups of three, as far as typed. */
export function grouped(text: string): string {
  const symbols = text.toUpperCase().replace(/[^A-Z\d]/g, "").slice(0, 9);
  return symbols.replace(/(.{3})(?=.)/g, "$1-");
}

type System = "windows" | "linux" | "phone" | "mac";

function thisSystem(): System {
  const agent = navigator.userAgent;
  if (/Android|iPhone|iPad/.test(agent)) return "phone";
  if (/Windows/.test(agent)) return "windows";
  if (/Mac OS X/.test(agent)) return "mac";
  return "linux";
}

export function JoinPage() {
  useTitle("Get help · GuruConnect");
  const [code, setCode] = useState(() => grouped(location.hash.slice(1)));
  const check = useMutation({
    mutationFn: () => answer(api.GET("/api/codes/{code}/validate", { params: { path: { code } } })),
  });
  // Where a letter is corrected in the middle, the caret stays there.
  const field = useRef<HTMLInputElement>(null);
  const caret = useRef<number | null>(null);
  const type = (event: ChangeEvent<HTMLInputElement>) => {
    const at = event.target.selectionStart ?? event.target.value.length;
    const inMiddle = at < event.target.value.length;
    caret.current = inMiddle ? grouped(event.target.value.slice(0, at)).length : null;
    setCode(grouped(event.target.value));
  };
  useLayoutEffect(() => {
    if (caret.current !== null) field.current?.setSelectionRange(caret.current, caret.current);
  }, [code]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    check.mutate();
  };
  if (check.data?.valid) return <Found code={code} preview={check.data} />;
  const complete = code.length === 11;
  return (
    <main className="centre">
      <form className="card wide" onSubmit={submit}>
        <span className="brand"><img src="/icon.svg" alt="" /> GuruConnect</span>
        <h1>Enter the code from your technician</h1>
        <div className="field join-field">
          <label htmlFor="code">Support code</label>
          <input
            id="code" ref={field} className="mono" value={code} onChange={type} autoComplete="off"
            autoCapitalize="characters" spellCheck={false} inputMode="text" placeholder="ABC-DEF-GHJ" autoFocus aria-describedby="code-hint"
          />
          <span className="hint" id="code-hint">Nine letters and digits, as you hear them on the phone. Dashes come by themselves.</span>
        </div>
        {check.data && !check.data.valid ? (
          <p className="message bad" role="alert">
            This code is not valid. It may have been mistyped, used already, or be older than 15 minutes. Ask for a new one.
          </p>
        ) : null}
        <Failure error={check.error} />
        <button className="button primary large" disabled={!complete || check.isPending}>
          {check.isPending ? "Checking…" : "Continue"}
        </button>
        <p className="muted">Only enter a code from somebody you called yourself or know. Nobody can see your screen before you say yes.</p>
      </form>
    </main>
  );
}

function Found({ code, preview }: { code: string; preview: Preview }) {
  const control = preview.access === "control";
  const who = preview.organization ? `${preview.technician_name} from ${preview.organization}` : preview.technician_name;
  const system = thisSystem();
  const [os, setOs] = useState<"windows" | "linux">(system === "linux" ? "linux" : "windows");
  return (
    <main className="centre">
      <div className="card wide">
        <h1>{who} would like to help you</h1>
        {system === "phone" || system === "mac" ? (
          <>
            <p className="message">
              {system === "phone" ? "You are on a phone." : "Macs are not supported yet."} On the Windows or Linux computer that
              needs help, open this address and enter the same code:
            </p>
            <p className="elsewhere mono">{location.host}/join</p>
            <p className="elsewhere mono">{code}</p>
          </>
        ) : null}
        <ol className="steps" hidden={system === "phone" || system === "mac"}>
          <li>
            <div>
              <p><strong>Download the helper program.</strong> It needs no installation and removes itself afterwards.</p>
              <p>
                <a className="button primary large" href={`/api/downloads/${os}`} download={os === "windows" ? `GuruConnect-${code}.exe` : `GuruConnect-${code}.tar.gz`}>
                  <Download aria-hidden="true" /> Download for {os === "windows" ? "Windows" : "Linux"}
                </a>
              </p>
              <button className="button plain" onClick={() => setOs(os === "windows" ? "linux" : "windows")}>
                I use {os === "windows" ? "Linux" : "Windows"} instead
              </button>
            </div>
          </li>
          <li>
            <p><strong>Open it.</strong> {os === "windows" ? "It is in your downloads, with the code in its name." : "Unpack it, start it, and enter the code."}</p>
          </li>
          <li>
            <div>
              <p><strong>Say yes.</strong> You will see this, and nothing happens before you choose:</p>
              <div className="preview" aria-hidden="true">
                <div className="bar">GuruConnect: allow remote support?</div>
                <div className="body">
                  <span>{who} wants to {control ? "see and control this computer" : "see this computer’s screen"}.</span>
                  <span className="choices"><span>Allow</span><span>Deny</span></span>
                </div>
              </div>
            </div>
          </li>
        </ol>
        <p className="muted">
          {control
            ? "They will see everything on your screen and can use your mouse and keyboard."
            : "They will see everything on your screen. They cannot touch anything."}
        </p>
        <p className="muted">Your code: <span className="mono">{code}</span>. You can end the session at any moment.</p>
      </div>
    </main>
  );
}
