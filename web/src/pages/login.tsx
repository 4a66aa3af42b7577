import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { answer, api, type User } from "../api/client";
import { Failure, useTitle } from "../ui/parts";

export function LoginPage() {
  useTitle("Log in · GuruConnect");
  const { to } = useSearch({ from: "/login" });
  const router = useRouter();
  const queries = useQueryClient();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [due, setDue] = useState<User | null>(null);
  const enter = async () => {
    queries.clear();
    await router.navigate({ href: to ?? "/" });
  };
  const login = useMutation({
    mutationFn: () => answer(api.POST("/api/auth/login", { body: { username, password } })),
    onSuccess: (result) => {
      if (result.user.must_change_password) setDue(result.user);
      else void enter();
    },
  });
  if (due) return <NewPassword current={password} done={enter} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <main className="centre">
      <form className="card" onSubmit={submit}>
        <span className="brand"><img src="/icon.svg" alt="" /> GuruConnect</span>
        <h1>Log in</h1>
        <div className="field">
          <label htmlFor="username">User name</label>
          <input id="username" value={username} onChange={(e) => setUsername(e.target.value)} autoComplete="username" autoCapitalize="none" required autoFocus />
        </div>
        <div className="field">
          <label htmlFor="password">Password</label>
          <input id="password" type="password" value={password} onChange={(e) => setPassword(e.target.value)} autoComplete="current-password" required />
        </div>
        <Failure error={login.error} />
        <button className="button primary" disabled={login.isPending}>{login.isPending ? "Logging in…" : "Log in"}</button>
        <p className="muted">Got a support code from a technician? <a href="/join">Enter it here.</a></p>
      </form>
    </main>
  );
}

function NewPassword({ current, done }: { current: string; done: () => Promise<void> }) {
  const [wanted, setWanted] = useState("");
  const change = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/auth/change-password", { body: { current_password: current, new_password: wanted } })),
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
        <div className="field">
          <label htmlFor="new">New password</label>
          <input id="new" type="password" value={wanted} onChange={(e) => setWanted(e.target.value)} autoComplete="new-password" required minLength={10} autoFocus />
          <span className="hint">At least 10 characters.</span>
        </div>
        <Failure error={change.error} />
        <button className="button primary" disabled={change.isPending}>{change.isPending ? "Saving…" : "Save and go on"}</button>
      </form>
    </main>
  );
}
