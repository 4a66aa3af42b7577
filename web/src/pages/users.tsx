// Who may log in, and what they may do.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { UserPlus } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import { answer, api, type User } from "../api/client";
import { useUsers } from "../api/queries";
import { Ago, Failure, Pager, useTitle, Waiting } from "../ui/parts";
import { Shell } from "../ui/shell";
import { ROLES } from "./roles";
import { UserForm, type UserValues } from "./user-form";

/** Rows on one page. */
const ROWS = 50;

export interface UsersSearch {
  q?: string;
  /** The first row that is shown. */
  from?: number;
}

export function UsersPage() {
  return <Shell>{(user) => <Users me={user} />}</Shell>;
}

function Users({ me }: { me: User }) {
  useTitle("Users · GuruConnect");
  const queries = useQueryClient();
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const users = useUsers(true);
  const { q = "", from = 0 } = useSearch({ from: "/users" });
  // The field is the hand's; the address follows it, and leads only from elsewhere.
  const [typed, setTyped] = useState(q);
  useEffect(() => {
    if (document.activeElement?.id !== "find-user") setTyped(q);
  }, [q]);
  const navigate = useNavigate({ from: "/users" });
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (users.data ?? []).filter((user) => {
    const text = `${user.display_name} ${user.username} ${ROLES[user.role] ?? user.role} ${user.enabled ? "" : "disabled"}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const shown = found.slice(from, from + ROWS);
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
  const toggle = (user: User) => {
    const ends = `Disable ${user.display_name}? Their logins end, and they leave every session that they are in.`;
    if (!user.enabled || confirm(ends)) enable.mutate({ user, enabled: !user.enabled });
  };
  const confirmRemove = (user: User) => {
    const ends = `Remove ${user.display_name}? Their logins end. What they did stays in the audit trail.`;
    if (confirm(ends)) remove.mutate(user);
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
      {users.data && (users.data.length > 1 || q) ? (
        <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
          <div className="field">
            <label htmlFor="find-user">Find</label>
            <input
              id="find-user" type="search" value={typed} placeholder="Name, user name, role" autoComplete="off" spellCheck={false}
              onChange={(e) => { setTyped(e.target.value); void navigate({ search: { q: e.target.value || undefined }, replace: true }); }}
            />
          </div>
          <span className="hint" role="status">{counted(found.length, from, users.data.length)}</span>
        </form>
      ) : null}
      {users.data && shown.length === 0 ? (
        <div className="table-wrap empty">
          <p>Nobody fits “<bdi>{q}</bdi>”.</p>
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
                        <button className="button" aria-label={`${user.enabled ? "Disable" : "Enable"} ${user.display_name}`} onClick={() => toggle(user)} disabled={enable.isPending}>{user.enabled ? "Disable" : "Enable"}</button>
                        <button className="button danger" aria-label={`Remove ${user.display_name}`} onClick={() => confirmRemove(user)} disabled={remove.isPending}>Remove</button>
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
        busy={false}
        newest={from > 0 ? <Link to="/users" search={{ q: q || undefined, from: Math.max(0, from - ROWS) || undefined }} className="button">Back</Link> : null}
        older={from + ROWS < found.length ? <Link to="/users" search={{ q: q || undefined, from: from + ROWS }} className="button">More</Link> : null}
      />
    </>
  );
}

/** How many there are, and which of them are shown. */
function counted(found: number, from: number, all: number): string {
  const which = found > ROWS ? `${from + 1} to ${Math.min(from + ROWS, found)} of ` : "";
  return found < all ? `${which}${found} found` : `${which}${all} users`;
}
