// A password of one's own, in place of the one that was given.
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { answer, api } from "../api/client";
import { Failure, useTitle } from "../ui/parts";

/** `current` where it has just been typed at the login. */
export function NewPassword({ current, done }: { current?: string; done: () => unknown }) {
  useTitle("Choose a password · GuruConnect");
  const [typed, setTyped] = useState("");
  const [wanted, setWanted] = useState("");
  const change = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/auth/change-password", { body: { current_password: current ?? typed, new_password: wanted } })),
    onSuccess: () => void done(),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <main className="centre">
      <form className="card" onSubmit={submit}>
        <h1>Choose your own password</h1>
        <p className="muted">The one you were given was for the first time only.</p>
        {current === undefined ? (
          <div className="field">
            <label htmlFor="current">The password you were given</label>
            <input id="current" type="password" value={typed} onChange={(e) => setTyped(e.target.value)} autoComplete="current-password" required autoFocus />
          </div>
        ) : null}
        <div className="field">
          <label htmlFor="new">New password</label>
          <input id="new" type="password" value={wanted} onChange={(e) => setWanted(e.target.value)} autoComplete="new-password" required minLength={10} autoFocus={current !== undefined} aria-describedby="new-hint" />
          <span className="hint" id="new-hint">At least 10 characters.</span>
        </div>
        <Failure error={change.error} />
        <button className="button primary" disabled={change.isPending}>{change.isPending ? "Saving…" : "Save and go on"}</button>
      </form>
    </main>
  );
}
