// Who may log in, and what they may do.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { UserPlus } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import { answer, api, type Role, type User } from "../api/client";
import { useUsers, type UserFilter } from "../api/queries";
import { useAsk } from "../ui/ask";
import { Ago, Failure, Pager, useTitle, Waiting } from "../ui/parts";
import { Shell } from "../ui/shell";
import { ROLES } from "./roles";
import { UserForm, type UserValues } from "./user-form";

export function UsersPage() {
  return <Shell>{(user) => <Users me={user} />}</Shell>;
}

function Users({ me }: { me: User }) {
  useTitle("Users · GuruConnect");
  const queries = useQueryClient();
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const search = useSearch({ from: "/users" });
  const users = useUsers(search);
  const { after, ...filters } = search;
  const { q = "", role, enabled } = filters;
  const filtered = Object.keys(filters).length > 0;
  // The field is the hand's; the address follows it, and leads only from elsewhere.
  const [typed, setTyped] = useState(q);
  useEffect(() => {
    if (document.activeElement?.id !== "find-user") setTyped(q);
  }, [q]);
  const navigate = useNavigate({ from: "/users" });
  const set = (change: UserFilter) => void navigate({ search: (before) => ({ ...before, ...change, after: undefined }), replace: true });
  const shown = users.data?.items ?? [];
  // Where the form was opened from: the keyboard goes back there.
  const opener = useRef<HTMLElement | null>(null);
  const changed = () => void queries.invalidateQueries({ queryKey: ["users"] });
  const save = useMutation({
    mutationFn: async ({ user, values }: { user: User | "new"; values: UserValues }) => {
      const { username, reset_second_factor, ...change } = values;
      if (user === "new") await answer(api.POST("/api/users", { body: { ...change, username, password: values.password ?? "" } }));
      else {
        await answer(api.PATCH("/api/users/{id}", { params: { path: { id: user.id } }, body: { ...change, reset_second_factor } }));
      }
    },
    onSuccess: () => close(),
    onSettled: changed,
  });
  const enable = useMutation({
    mutationFn: ({ user, enabled }: { user: User; enabled: boolean }) =>
      answer(api.PATCH("/api/users/{id}", { params: { path: { id: user.id } }, body: { enabled } })),
    onSettled: changed,
  });
  const remove = useMutation({
    mutationFn: (user: User) => answer(api.DELETE("/api/users/{id}", { params: { path: { id: user.id } } })),
    onSettled: changed,
  });
  const { ask, question } = useAsk();
  const toggle = async (user: User) => {
    const title = <>Disable <bdi>{user.display_name}</bdi>?</>;
    const ends = "Their logins end, and they leave every session that they are in.";
    if (!user.enabled || (await ask({ title, ends, verb: "Disable" }))) enable.mutate({ user, enabled: !user.enabled });
  };
  const askRemove = async (user: User) => {
    const title = <>Remove <bdi>{user.display_name}</bdi>?</>;
    const ends = "Their logins end, and they leave every session that they are in. What they did stays in the audit trail.";
    if (await ask({ title, ends, verb: "Remove" })) remove.mutate(user);
  };
  const open = (user: User | "new") => {
    save.reset();
    opener.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    setEditing(user);
  };
  const close = () => {
    setEditing(null);
    opener.current?.focus();
  };
  return (
    <>
      <div className="heading">
        <h1>Users</h1>
        {users.data ? (
          <button className="button primary" onClick={() => open("new")}>
            <UserPlus aria-hidden="true" /> New user
          </button>
        ) : null}
      </div>
      <Failure error={users.error ?? enable.error ?? remove.error} />
      {editing ? (
        <UserForm
          key={editing === "new" ? "new" : editing.id} user={editing === "new" ? null : editing} me={me} error={save.error}
          saving={save.isPending} save={(values) => save.mutate({ user: editing, values })} cancel={close}
        />
      ) : null}
      {users.isPending ? <Waiting>Loading</Waiting> : null}
      {shown.length > 1 || filtered || after ? (
        <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
          <div className="field">
            <label htmlFor="find-user">Find</label>
            <input
              id="find-user" type="search" value={typed} placeholder="Name or user name" autoComplete="off" spellCheck={false}
              onChange={(e) => { setTyped(e.target.value); set({ q: e.target.value || undefined }); }}
            />
          </div>
          <div className="field">
            <label htmlFor="role">Role</label>
            <select id="role" value={role ?? ""} onChange={(e) => set({ role: (e.target.value || undefined) as Role | undefined })}>
              <option value="">All</option>
              {Object.entries(ROLES).map(([name, words]) => <option key={name} value={name}>{words}</option>)}
            </select>
          </div>
          <div className="field">
            <label htmlFor="enabled">State</label>
            <select id="enabled" value={String(enabled ?? "")} onChange={(e) => set({ enabled: e.target.value ? e.target.value === "true" : undefined })}>
              <option value="">All</option>
              <option value="true">Enabled</option>
              <option value="false">Disabled</option>
            </select>
          </div>
          {users.data && !users.isPlaceholderData ? <span className="hint" role="status">{counted(shown.length, search, users.data.next !== null)}</span> : null}
        </form>
      ) : null}
      {users.data && shown.length === 0 ? (
        <div className="table-wrap empty">
          <p>{filtered ? "Nobody fits this search." : "Nobody comes after them."}</p>
          <Link to="/users" search={{}} className="button">Show all</Link>
        </div>
      ) : null}
      {shown.length > 0 ? (
        <div className="table-wrap">
          <table>
            <thead>
              <tr><th>Name</th><th>Role</th><th>State</th><th>Last login</th><th><span className="hidden-text">Actions</span></th></tr>
            </thead>
            <tbody>
              {shown.map((user) => (
                <tr key={user.id}>
                  <td className="name"><bdi>{user.display_name}</bdi><div className="sub"><bdi>{user.username}</bdi>{user.id === me.id ? " · you" : ""}</div></td>
                  <td>{ROLES[user.role] ?? user.role}</td>
                  <td>{user.enabled ? user.must_change_password ? "Has to choose a password" : "Enabled" : <span className="muted">Disabled</span>}</td>
                  <td>{user.last_login_at ? <Ago at={user.last_login_at} /> : <span className="muted">never</span>}</td>
                  <td className="actions">
                    <button className="button" aria-label={`Change ${user.display_name}`} onClick={() => open(user)}>Change</button>
                    {user.id === me.id ? null : (
                      <>
                        <button className="button" aria-label={`${user.enabled ? "Disable" : "Enable"} ${user.display_name}`} onClick={() => void toggle(user)} disabled={enable.isPending}>{user.enabled ? "Disable" : "Enable"}</button>
                        <button className="button danger" aria-label={`Remove ${user.display_name}`} onClick={() => void askRemove(user)} disabled={remove.isPending}>Remove</button>
                      </>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      <Pager
        busy={users.isPlaceholderData}
        newest={after ? <Link to="/users" search={filters} className="button">First</Link> : null}
        older={users.data?.next ? <Link to="/users" search={{ ...filters, after: users.data.next }} className="button">More</Link> : null}
      />
      {question}
    </>
  );
}

/** How many there are, as far as it is known. */
function counted(shown: number, { after, ...filters }: UserFilter, more: boolean): string {
  if (after) return more ? "" : "The last of them";
  const what = Object.keys(filters).length > 0 ? "found" : "users";
  return more ? `More than ${shown} ${what}` : `${shown} ${what}`;
}
