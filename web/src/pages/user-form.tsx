// One user, new or to be changed.
import { useId, useState, type FormEvent } from "react";

import type { Permission, Role, User } from "../api/client";
import { Failure } from "../ui/parts";
import { GRANTABLE } from "./grants";
import { ROLES } from "./roles";

export interface UserValues {
  username: string;
  display_name: string;
  role: Role;
  password?: string;
  permissions?: Permission[];
  reset_second_factor?: boolean;
}

/** What a role brings by itself, as far as it is listed above. */
const BUNDLES: Record<Role, Permission[]> = {
  admin: GRANTABLE.map(([permission]) => permission), operator: ["view", "control", "transfer", "create_codes"], viewer: ["view"], end_user: [],
};

interface Props {
  user: User | null;
  me: User;
  error: unknown;
  saving: boolean;
  save: (values: UserValues) => void;
  cancel: () => void;
}

export function UserForm({ user, me, error, saving, save, cancel }: Props) {
  const id = useId();
  const [username, setUsername] = useState(user?.username ?? "");
  const [name, setName] = useState(user?.display_name ?? "");
  const [role, setRole] = useState(user?.role ?? "operator");
  const [granted, setGranted] = useState(() => new Set(user?.permissions ?? []));
  const [password, setPassword] = useState("");
  const [resetFactor, setResetFactor] = useState(false);
  const bundle = BUNDLES[role];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const permissions = role === "end_user" ? [] : [...granted].filter((permission) => !bundle.includes(permission));
    save({ username, display_name: name, role, permissions, ...(password ? { password } : {}), ...(resetFactor ? { reset_second_factor: true } : {}) });
  };
  const toggle = (permission: Permission) => {
    const next = new Set(granted);
    if (!next.delete(permission)) next.add(permission);
    setGranted(next);
  };
  return (
    <form className="card wide" onSubmit={submit} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{user ? `Change ${user.display_name}` : "New user"}</h2>
      {user ? null : (
        <div className="field">
          <label htmlFor={`${id}-username`}>User name</label>
          <input id={`${id}-username`} value={username} onChange={(e) => setUsername(e.target.value)} required maxLength={64} autoComplete="off" autoFocus spellCheck={false} />
        </div>
      )}
      <div className="field">
        <label htmlFor={`${id}-name`}>Name, as people being helped read it</label>
        <input id={`${id}-name`} value={name} onChange={(e) => setName(e.target.value)} required maxLength={100} autoComplete="off" autoFocus={user !== null} />
      </div>
      <div className="field">
        <label htmlFor={`${id}-role`}>Role</label>
        <select id={`${id}-role`} value={role} onChange={(e) => setRole(e.target.value as Role)} disabled={user?.id === me.id}>
          {Object.entries(ROLES).map(([value, words]) => <option key={value} value={value}>{words}</option>)}
        </select>
      </div>
      {role === "admin" || role === "end_user" ? null : (
        <fieldset className="grants">
          <legend>May</legend>
          {GRANTABLE.map(([permission, words]) => (
            <label key={permission}>
              <input
                type="checkbox" checked={bundle.includes(permission) || granted.has(permission)} disabled={bundle.includes(permission)}
                onChange={() => toggle(permission)}
              />
              {words}
            </label>
          ))}
        </fieldset>
      )}
      <div className="field">
        <label htmlFor={`${id}-password`}>{user ? "New password, if it is to be reset" : "First password"}</label>
        <input
          id={`${id}-password`} type="password" value={password} onChange={(e) => setPassword(e.target.value)} required={user === null} minLength={10}
          autoComplete="new-password" aria-describedby={`${id}-hint`}
        />
        <span className="hint" id={`${id}-hint`}>
          At least 10 characters. They choose one of their own at the next login.{user ? " A reset ends their logins." : ""}
        </span>
      </div>
      {user?.second_factor ? (
        <label className="check">
          <input type="checkbox" checked={resetFactor} onChange={() => setResetFactor(!resetFactor)} />
          Take the second factor away: they have lost the phone and the recovery codes
        </label>
      ) : null}
      <Failure error={error} />
      <div className="row">
        <button className="button primary" disabled={saving}>{saving ? "Saving…" : "Save"}</button>
        <button type="button" className="button" onClick={cancel}>Cancel</button>
      </div>
    </form>
  );
}
