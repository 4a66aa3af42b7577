// One's own account.
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { answer, api, type User } from "../api/client";
import { Failure, useTitle } from "../ui/parts";
import { Shell } from "../ui/shell";
import { ROLES } from "./roles";
import { SecondFactor } from "./second-factor";
import { Tokens } from "./tokens";

export function AccountPage() {
  return <Shell>{(user) => <Account user={user} />}</Shell>;
}

function Account({ user }: { user: User }) {
  useTitle("Your account · GuruConnect");
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const change = useMutation({
    mutationFn: () => answer(api.POST("/api/auth/change-password", { body: { current_password: current, new_password: wanted } })),
    onSuccess: () => {
      setCurrent("");
      setWanted("");
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <>
      <div className="heading"><h1>Your account</h1></div>
      <section className="card wide" aria-labelledby="who">
        <h2 id="who"><bdi>{user.display_name}</bdi></h2>
        <p className="muted">{user.username} · {ROLES[user.role] ?? user.role}</p>
        <p>People whom you help read “<bdi>{user.display_name}</bdi>”. An administrator can change it.</p>
      </section>
      <form className="card wide" onSubmit={submit} aria-labelledby="password">
        <h2 id="password">Change password</h2>
        <p className="muted">Your other logins end, and every viewer that you have open connects anew.</p>
        <div className="field">
          <label htmlFor="current">Current password</label>
          <input id="current" type="password" value={current} onChange={(e) => setCurrent(e.target.value)} autoComplete="current-password" required />
        </div>
        <div className="field">
          <label htmlFor="new">New password</label>
          <input id="new" type="password" value={wanted} onChange={(e) => setWanted(e.target.value)} autoComplete="new-password" required minLength={10} aria-describedby="new-hint" />
          <span className="hint" id="new-hint">At least 10 characters.</span>
        </div>
        <Failure error={change.error} />
        {change.isSuccess ? <p role="status">The password is changed.</p> : null}
        <div className="row"><button className="button primary" disabled={change.isPending}>{change.isPending ? "Saving…" : "Change password"}</button></div>
      </form>
      <SecondFactor user={user} />
      <Tokens user={user} />
    </>
  );
}
