// A second factor of one's own: a code from an authenticator beside the password.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState, type FormEvent } from "react";
import { encode } from "uqr";

import { answer, api, type User } from "../api/client";
import { useAsk } from "../ui/ask";
import { Failure } from "../ui/parts";

export function SecondFactor({ user }: { user: User }) {
  const queries = useQueryClient();
  const [password, setPassword] = useState("");
  const [otp, setOtp] = useState("");
  const [codes, setCodes] = useState<string[]>([]);
  const changed = () => queries.invalidateQueries({ queryKey: ["me"] });
  const propose = useMutation({ mutationFn: () => answer(api.POST("/api/auth/second-factor/propose")) });
  const set = useMutation({
    mutationFn: (secret: string) => answer(api.PUT("/api/auth/second-factor", { body: { current_password: password, secret, otp } })),
    onSuccess: (result) => {
      setCodes(result.recovery_codes);
      setPassword("");
      setOtp("");
      propose.reset();
      void changed();
    },
  });
  const remove = useMutation({
    mutationFn: () => answer(api.POST("/api/auth/second-factor/remove", { body: { current_password: password } })),
    onSuccess: () => {
      setPassword("");
      void changed();
    },
  });
  const begin = () => {
    set.reset();
    setCodes([]);
    propose.mutate();
  };
  const { ask, question } = useAsk();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (propose.data) set.mutate(propose.data.secret);
    else if (await ask({ title: "Remove the second factor?", ends: "Your password alone will let you in.", verb: "Remove" })) remove.mutate();
  };
  return (
    <form className="card wide" onSubmit={(event) => void submit(event)} aria-labelledby="factor">
      <h2 id="factor">Second factor</h2>
      {codes.length > 0 ? <Recovery codes={codes} done={() => setCodes([])} /> : null}
      {codes.length === 0 && !propose.data ? (
        <>
          <p>{user.second_factor ? "On: a code from your authenticator is due at each login." : "Off: your password alone lets you in."}</p>
          <div className="row">
            <button type="button" className={user.second_factor ? "button" : "button primary"} onClick={begin} disabled={propose.isPending}>
              {user.second_factor ? "Use another authenticator" : "Set up an authenticator"}
            </button>
          </div>
        </>
      ) : null}
      {propose.data ? (
        <>
          <p>Read this picture with an authenticator app on your phone, or type the key into it.</p>
          <Picture text={propose.data.uri} />
          <p className="mono key">{propose.data.secret.match(/.{1,4}/g)?.join(" ")}</p>
          <div className="field">
            <label htmlFor="otp">Code that the app shows</label>
            <input id="otp" className="mono" value={otp} onChange={(e) => setOtp(e.target.value)} inputMode="numeric" autoComplete="one-time-code" required />
          </div>
        </>
      ) : null}
      {propose.data || (user.second_factor && codes.length === 0) ? (
        <div className="field">
          <label htmlFor="factor-password">Your password</label>
          <input id="factor-password" type="password" value={password} onChange={(e) => setPassword(e.target.value)} autoComplete="current-password" required />
        </div>
      ) : null}
      <Failure error={propose.error ?? set.error ?? remove.error} />
      {propose.data ? (
        <div className="row">
          <button className="button primary" disabled={set.isPending}>{set.isPending ? "Checking…" : "Turn on"}</button>
          <button type="button" className="button" onClick={() => propose.reset()}>Cancel</button>
        </div>
      ) : null}
      {!propose.data && user.second_factor && codes.length === 0 ? (
        <div className="row"><button className="button danger" disabled={remove.isPending}>Remove second factor</button></div>
      ) : null}
      {question}
    </form>
  );
}

function Recovery({ codes, done }: { codes: string[]; done: () => void }) {
  return (
    <>
      <p role="status">The second factor is on.</p>
      <p>Keep these recovery codes in a safe place. Each lets you in once, when you do not have your phone. They are not shown again.</p>
      <ul className="mono recovery">{codes.map((code) => <li key={code}>{code}</li>)}</ul>
      <div className="row">
        <button type="button" className="button" onClick={() => void navigator.clipboard.writeText(codes.join("\n"))}>Copy</button>
        <button type="button" className="button primary" onClick={done}>I have kept them</button>
      </div>
    </>
  );
}

/** A text as a picture for cameras: dark on light in either theme. */
function Picture({ text }: { text: string }) {
  const { size, path } = useMemo(() => {
    const code = encode(text, { border: 3 });
    const squares = code.data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { size: code.size, path: squares.join("") };
  }, [text]);
  return (
    <svg className="picture" viewBox={`0 0 ${size} ${size}`} role="img" aria-label="The key as a picture for an authenticator app" shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
