// Personal access tokens: what scripts log in with.
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { answer, api, type AccessToken, type User, type Permission } from "../api/client";
import { useAsk } from "../ui/ask";
import { Ago, Failure, Waiting } from "../ui/parts";
import { GRANTABLE, GRANTS } from "./grants";

const LIFETIMES: Record<string, string> = { "7": "7 days", "30": "30 days", "90": "90 days", "365": "A year", "": "Until I revoke it" };

export function Tokens({ user }: { user: User }) {
  const queries = useQueryClient();
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState("");
  const tokens = useInfiniteQuery({
    queryKey: ["tokens"],
    queryFn: ({ pageParam: after }) => answer(api.GET("/api/tokens", { params: { query: { after } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
  });
  const items = tokens.data?.pages.flatMap((page) => page.items) ?? [];
  const changed = () => void queries.invalidateQueries({ queryKey: ["tokens"] });
  const revoke = useMutation({
    mutationFn: (token: AccessToken) => answer(api.DELETE("/api/tokens/{id}", { params: { path: { id: token.id } } })),
    onSettled: changed,
  });
  const { ask, question } = useAsk();
  const askRevoke = async (token: AccessToken) => {
    const title = <>Revoke “<bdi>{token.name}</bdi>”?</>;
    if (await ask({ title, ends: "Whatever uses it stops working at once.", verb: "Revoke token" })) revoke.mutate(token);
  };
  const made = (text: string) => {
    setSecret(text);
    setMaking(false);
    changed();
  };
  return (
    <section className="card wide" aria-labelledby="tokens">
      <h2 id="tokens">Access tokens</h2>
      <p className="muted">For scripts and other programs. A token does what you allow it, never more than you may yourself.</p>
      {secret ? <Secret text={secret} done={() => setSecret("")} /> : null}
      <Failure error={tokens.error ?? revoke.error} />
      {tokens.isPending ? <Waiting>Loading</Waiting> : null}
      {items.length > 0 ? (
        <ul className="tokens">
          {items.map((token) => (
            <li key={token.id}>
              <div>
                <strong><bdi>{token.name}</bdi></strong>
                <div className="sub">{token.scopes.map((scope) => GRANTS[scope] ?? scope).join(", ")}</div>
                <div className="sub"><Life token={token} /></div>
              </div>
              <button className="button danger" aria-label={`Revoke ${token.name}`} onClick={() => void askRevoke(token)} disabled={revoke.isPending}>Revoke</button>
            </li>
          ))}
        </ul>
      ) : null}
      {tokens.hasNextPage ? (
        <div className="row">
          <button className="button" onClick={() => void tokens.fetchNextPage()} disabled={tokens.isFetchingNextPage}>
            {tokens.isFetchingNextPage ? "Loading…" : "Show older tokens"}
          </button>
        </div>
      ) : null}
      {tokens.data && items.length === 0 && !making ? <p>You have none.</p> : null}
      {making ? <NewToken user={user} made={made} cancel={() => setMaking(false)} /> : (
        <div className="row"><button className="button" onClick={() => setMaking(true)}>New token</button></div>
      )}
      {question}
    </section>
  );
}

function Life({ token }: { token: AccessToken }) {
  const until = token.expires_at ? new Date(token.expires_at).toLocaleDateString() : null;
  return (
    <>
      {token.last_used_at ? <>Last used <Ago at={token.last_used_at} /></> : "Never used"}
      {" · "}
      {token.expired ? <span className="refused">expired on {until}</span> : until ? `expires on ${until}` : "does not expire"}
    </>
  );
}

function Secret({ text, done }: { text: string; done: () => void }) {
  return (
    <div className="message" role="status">
      Copy the token now: it is not shown again.
      <p className="mono key">{text}</p>
      <div className="row">
        <button className="button" onClick={() => void navigator.clipboard.writeText(text)}>Copy</button>
        <button className="button primary" onClick={done}>I have kept it</button>
      </div>
    </div>
  );
}

function NewToken({ user, made, cancel }: { user: User; made: (secret: string) => void; cancel: () => void }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Permission[]>([]);
  const [days, setDays] = useState("90");
  const create = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/tokens", { body: { name, scopes, expires_in_days: days ? Number(days) : null } })),
    onSuccess: (result) => made(result.secret),
  });
  const toggle = (scope: Permission) =>
    setScopes(scopes.includes(scope) ? scopes.filter((other) => other !== scope) : [...scopes, scope]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={submit} className="inner" aria-label="New token">
      <div className="field">
        <label htmlFor="token-name">What it is for</label>
        <input id="token-name" value={name} onChange={(e) => setName(e.target.value)} required maxLength={100} autoComplete="off" autoFocus />
      </div>
      <fieldset className="grants">
        <legend>It may</legend>
        {GRANTABLE.filter(([scope]) => user.permissions.includes(scope)).map(([scope, words]) => (
          <label key={scope}>
            <input type="checkbox" checked={scopes.includes(scope)} onChange={() => toggle(scope)} />
            {words}
          </label>
        ))}
      </fieldset>
      <div className="field">
        <label htmlFor="token-days">It expires after</label>
        <select id="token-days" value={days} onChange={(e) => setDays(e.target.value)}>
          {["7", "30", "90", "365", ""].map((value) => <option key={value} value={value}>{LIFETIMES[value]}</option>)}
        </select>
      </div>
      <Failure error={create.error} />
      <div className="row">
        <button className="button primary" disabled={create.isPending || scopes.length === 0}>{create.isPending ? "Making…" : "Make token"}</button>
        <button type="button" className="button" onClick={cancel}>Cancel</button>
        {scopes.length === 0 ? <span className="hint">Choose at least one thing that it may do.</span> : null}
      </div>
    </form>
  );
}
