// The first administrator, once, by the link that the server printed.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { answer, api, ApiFailure } from "../api/client";
import { Failure, useTitle, Waiting } from "../ui/parts";

/** How hard a password is to guess: 0 to 4, and what would help. */
export function strength(password: string): { score: number; hint: string } {
  if (password.length < 10) return { score: 0, hint: "At least 10 characters. Four unrelated words are easy to keep in mind." };
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  const different = new Set(password).size;
  const score = Math.min(4, Math.floor(password.length / 6) + (kinds > 2 ? 1 : 0) - (different < 6 ? 2 : 0));
  return { score: Math.max(1, score), hint: score < 3 ? "Longer is better." : "Good." };
}

export function SetupPage() {
  useTitle("Set up · GuruConnect");
  const navigate = useNavigate();
  const [token] = useState(() => location.hash.slice(1));
  const [name, setName] = useState("");
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const open = useQuery({ queryKey: ["setup"], queryFn: () => answer(api.GET("/api/setup")), retry: false });
  const create = useMutation({
    mutationFn: async () => {
      const body = { token, username, password, display_name: name || null };
      await answer(api.POST("/api/setup", { body }));
      await answer(api.POST("/api/auth/login", { body: { username, password } }));
    },
    onSuccess: () => {
      history.replaceState(null, "", "/");
      void navigate({ to: "/" });
    },
  });
  if (open.isPending) return <main className="centre"><Waiting>Loading</Waiting></main>;
  if (open.error) {
    const done = open.error instanceof ApiFailure && open.error.status === 404;
    return (
      <main className="centre">
        <div className="card">
          <h1>{done ? "This server is set up" : "Set-up is not possible just now"}</h1>
          {done ? <p className="muted">An administrator exists already.</p> : <Failure error={open.error} />}
          <Link to="/login" className="button">Log in</Link>
        </div>
      </main>
    );
  }
  const { score, hint } = strength(password);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <main className="centre">
      <form className="card" onSubmit={submit}>
        <span className="brand"><img src="/icon.svg" alt="" /> GuruConnect</span>
        <h1>Welcome. Create the first administrator</h1>
        {token ? null : (
          <p className="message bad" role="alert">
            This address lacks its one-time token. Open the whole set-up link that the server printed.
          </p>
        )}
        <div className="field">
          <label htmlFor="name">Your name</label>
          <input id="name" value={name} onChange={(e) => setName(e.target.value)} autoComplete="name" maxLength={100} aria-describedby="name-hint" />
          <span className="hint" id="name-hint">The person you help reads it when you ask to see their screen.</span>
        </div>
        <div className="field">
          <label htmlFor="username">User name</label>
          <input id="username" value={username} onChange={(e) => setUsername(e.target.value)} autoComplete="username" autoCapitalize="none" required maxLength={64} />
        </div>
        <div className="field">
          <label htmlFor="password">Password</label>
          <input id="password" type="password" value={password} onChange={(e) => setPassword(e.target.value)} autoComplete="new-password" required minLength={10} aria-describedby="password-hint" />
          <meter className="strength" min={0} max={4} low={2} high={3} optimum={4} value={score} aria-label="Password strength" />
          <span className="hint" id="password-hint">{hint}</span>
        </div>
        <Failure error={create.error} />
        <button className="button primary" disabled={!token || create.isPending}>
          {create.isPending ? "Creating…" : "Create administrator"}
        </button>
      </form>
    </main>
  );
}
