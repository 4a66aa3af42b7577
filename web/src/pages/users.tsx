// Who may log in, and what they may do.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { UserPlus } from "lucide-react";
import { useState } from "react";

import { answer, api, type User } from "../api/client";
import { Ago, Failure, useTitle, Waiting } from "../ui/parts";
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
  const users = useQuery({ queryKey: ["users"], queryFn: () => answer(api.GET("/api/users")) });
  const changed = () => void queries.invalidateQueries({ queryKey: ["users"] });
  const save = useMutation({
    mutationFn: async ({ user, values }: { user: User | "new"; values: UserValues }) => {
      const { username, reset_second_factor, ...change } = values;
      if (user === "new") await answer(api.POST("/api/users", { body: { ...change, username, password: values.password ?? "" } }));
      else {
        await answer(api.PATCH("/api/users/{id}", { params: { path: { id: user.id } }, body: { ...change, reset_second_factor } }));
      }
    },
    onSuccess: () => setEditing(null),
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
    setEditing(user);
  };
  return (
    <>
      <div className="heading">
        <h1>Users</h1>
        <button className="button primary" onClick={() => open("new")}>
          <UserPlus aria-hidden="true" /> New user
        </button>
      </div>
      <Failure error={users.error ?? enable.error ?? remove.error} />
      {editing ? (
        <UserForm
          key={editing === "new" ? "new" : editing.id} user={editing === "new" ? null : editing} me={me} error={save.error}
          saving={save.isPending} save={(values) => save.mutate({ user: editing, values })} cancel={() => setEditing(null)}
        />
      ) : null}
      {users.isPending ? <Waiting>Loading</Waiting> : null}
      {users.data ? (
        <div className="table-wrap">
          <table>
            <thead>
              <tr><th>Name</th><th>Role</th><th>State</th><th>Last login</th><th><span className="hidden-text">Actions</span></th></tr>
            </thead>
            <tbody>
              {users.data.items.map((user) => (
                <tr key={user.id}>
                  <td className="name">{user.display_name}<div className="sub">{user.username}{user.id === me.id ? " · you" : ""}</div></td>
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
    </>
  );
}
