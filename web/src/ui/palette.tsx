// Ctrl+K: pages, sessions and actions by a few letters of their names.
import { useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";

import type { User, Permission } from "../api/client";
import { useNewCode, useSessions } from "../api/queries";
import { Failure } from "./parts";
import type { Theme } from "./theme";

interface Entry {
  name: string;
  kind: string;
  run: () => unknown;
}

interface Props {
  user: User;
  setTheme: (theme: Theme) => void;
  logOut: () => void;
  close: () => void;
}

/** The combination that opens it, as this system writes it. */
export const PALETTE_KEY = /Mac/.test(navigator.platform) ? "⌘K" : "Ctrl K";

/** Open it by its keys, from anywhere on a page. */
export function usePaletteKey(open: () => void) {
  useEffect(() => {
    const pressed = (event: globalThis.KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      // Not over a question that is open.
      if (!document.querySelector("dialog[open]")) open();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [open]);
}

function useEntries({ user, setTheme, logOut, close }: Props, newCode: ReturnType<typeof useNewCode>): Entry[] {
  const navigate = useNavigate();
  const open = useSessions("open");
  return useMemo(() => {
    const may = (permission: Permission) => user.permissions.includes(permission);
    // Where an action fails, the list stays and says why.
    const code = (access: "view" | "control") => () =>
      newCode.mutate(access, { onSuccess: () => { close(); void navigate({ to: "/" }); } });
    const go = (to: "/" | "/users" | "/audit" | "/settings" | "/account") => () => { close(); void navigate({ to }); };
    const theme = (chosen: Theme) => () => { close(); setTheme(chosen); };
    const entries: (Entry | false)[] = [
      may("create_codes") && { name: "New support code", kind: "Action", run: code("control") },
      may("create_codes") && { name: "New code to view only", kind: "Action", run: code("view") },
      ...(open.data?.items ?? []).filter((session) => session.machine).map((session) => ({
        name: session.machine?.hostname ?? "", kind: `Session · ${session.technician_name}`,
        run: () => { close(); void navigate({ to: "/sessions/$id/view", params: { id: session.id } }); },
      })),
      { name: "Sessions", kind: "Page", run: go("/") },
      { name: "Past sessions", kind: "Page", run: () => { close(); void navigate({ to: "/", search: { show: "ended" } }); } },
      may("manage_users") && { name: "Users", kind: "Page", run: go("/users") },
      may("view_audit") && { name: "Audit", kind: "Page", run: go("/audit") },
      may("manage_settings") && { name: "Settings", kind: "Page", run: go("/settings") },
      { name: "Your account: password, second factor, access tokens", kind: "Page", run: go("/account") },
      { name: "Light colours", kind: "Action", run: theme("light") },
      { name: "Dark colours", kind: "Action", run: theme("dark") },
      { name: "Colours of the system", kind: "Action", run: theme("system") },
      { name: "Log out", kind: "Action", run: () => { close(); logOut(); } },
    ];
    return entries.filter((entry) => entry !== false);
  }, [user, setTheme, logOut, close, newCode, navigate, open.data]);
}

export function Palette(props: Props) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const newCode = useNewCode();
  // Closed as a dialog, it gives the focus back to where it was.
  const shut = useCallback(() => dialog.current?.close(), []);
  const entries = useEntries({ ...props, close: shut }, newCode);
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = entries.filter(({ name, kind }) => words.every((word) => `${name} ${kind}`.toLowerCase().includes(word)));
  const chosen = Math.min(at, found.length - 1);
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    dialog.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen, typed]);
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) {
      event.preventDefault();
      setAt((chosen + step + found.length) % found.length);
    } else if (event.key === "Enter") {
      // Nor held down, nor to end a composition, nor twice.
      if (event.nativeEvent.isComposing) return;
      event.preventDefault();
      if (!event.repeat && !newCode.isPending) found[chosen]?.run();
    }
  };
  return (
    <dialog
      ref={dialog} className="palette" aria-label="Go to a page, a session or an action" onClose={props.close}
      onClick={(event) => { if (event.target === dialog.current) shut(); }}
    >
      <input
        role="combobox" aria-label="What are you looking for?" aria-expanded="true" aria-controls={id} autoComplete="off" spellCheck={false}
        aria-activedescendant={found.length > 0 ? `${id}-${chosen}` : undefined} placeholder="A page, a computer, or what to do" value={typed}
        onChange={(event) => { setTyped(event.target.value); setAt(0); }} onKeyDown={keys} autoFocus
      />
      <Failure error={newCode.error} />
      <ul role="listbox" id={id} aria-label="Found">
        {found.map((entry, index) => (
          <li
            key={`${entry.kind} ${entry.name} ${index}`} id={`${id}-${index}`} role="option" aria-selected={index === chosen}
            onPointerMove={() => setAt(index)} onClick={() => entry.run()}
          >
            <bdi>{entry.name}</bdi><span className="muted">{entry.kind}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p className="muted" role="status">Nothing has this name. Past sessions are found on their page.</p> : null}
    </dialog>
  );
}
