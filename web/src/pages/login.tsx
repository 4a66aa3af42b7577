import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { answer, api, ApiFailure, type User } from "../api/client";
import { Failure, useTitle } from "../ui/parts";
import { NewPassword } from "./new-password";

export function LoginPage() {
  useTitle("Log in · GuruConnect");
  const { to } = useSearch({ from: "/login" });
  const router = useRouter();
  const queries = useQueryClient();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [otp, setOtp] = useState("");
  const [due, setDue] = useState<User | null>(null);
  const enter = async () => {
    queries.clear();
    await router.navigate({ href: to ?? "/" });
  };
  const login = useMutation({
    mutationFn: () => answer(api.POST("/api/auth/login", { body: { username, password, ...(otp ? { otp } : {}) } })),
    onSuccess: (result) => {
      if (result.user.must_change_password) setDue(result.user);
      else void enter();
    },
  });
  const code = login.error instanceof ApiFailure ? login.error.code : "";
  const [factor, setFactor] = useState(false);
  if (!factor && code === "OTP_REQUIRED") setFactor(true);
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
        {factor ? (
          <div className="field">
            <label htmlFor="otp">Code from your authenticator, or a recovery code</label>
            <input id="otp" className="mono" value={otp} onChange={(e) => setOtp(e.target.value)} autoComplete="one-time-code" required autoFocus />
          </div>
        ) : null}
        <Failure error={code === "OTP_REQUIRED" ? null : login.error} />
        <button className="button primary" disabled={login.isPending}>{login.isPending ? "Logging in…" : "Log in"}</button>
        <p className="muted">Got a support code from a technician? <a href="/join">Enter it here.</a></p>
      </form>
    </main>
  );
}
