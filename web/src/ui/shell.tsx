// The frame around pages for people who are logged in.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { LogOut, Moon, Search, Sun, SunMoon } from "lucide-react";
import { useCallback, useEffect, useState, type ReactNode } from "react";

import { answer, api, ApiFailure, type User } from "../api/client";
import { useEvents, useMe } from "../api/queries";
import { NewPassword } from "../pages/new-password";
import { Palette, PALETTE_KEY, usePaletteKey } from "./palette";
import { Failure, Waiting } from "./parts";
import { applyTheme, storedTheme, type Theme } from "./theme";

const THEMES: Record<Theme, { next: Theme; label: string; icon: typeof Sun }> = {
  system: { next: "light", label: "Colours follow the system", icon: SunMoon },
  light: { next: "dark", label: "Light colours", icon: Sun },
  dark: { next: "system", label: "Dark colours", icon: Moon },
};

/** Passes the logged-in user on, or goes to the login page. */
export function Shell({ children }: { children: (user: User) => ReactNode }) {
  const me = useMe();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const connected = useEvents(me.data !== undefined);
  const [theme, setTheme] = useState(storedTheme);
  const [searching, setSearching] = useState(false);
  const search = useCallback(() => setSearching(true), []);
  const found = useCallback(() => setSearching(false), []);
  usePaletteKey(search);
  const refused = me.error instanceof ApiFailure && me.error.status === 401;
  useEffect(() => applyTheme(theme), [theme]);
  useEffect(() => {
    if (refused) void navigate({ to: "/login", search: { to: location.pathname + location.search } });
  }, [refused, navigate]);
  const logOut = useMutation({
    mutationFn: () => answer(api.POST("/api/auth/logout")),
    onSuccess: () => {
      queries.clear();
      void navigate({ to: "/login" });
    },
  });

  const { mutate: leave } = logOut;
  const logOutNow = useCallback(() => leave(), [leave]);

  if (me.isPending || refused) return <main className="centre"><Waiting>Loading</Waiting></main>;
  // What was read before still stands where reading it again failed.
  if (!me.data) {
    return (
      <main className="centre">
        <div className="card">
          <Failure error={me.error} />
          <button className="button primary" onClick={() => void me.refetch()}>Try again</button>
        </div>
      </main>
    );
  }
  if (me.data.must_change_password) return <NewPassword done={() => me.refetch()} />;
  const { next, label, icon: Icon } = THEMES[theme];
  return (
    <>
      <a className="skip" href="#content">Skip to the content</a>
      <header className="top">
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" /> GuruConnect
        </Link>
        <nav aria-label="Pages">
          <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>Sessions</Link>
          {me.data.permissions.includes("manage_users") ? <Link to="/users">Users</Link> : null}
          {me.data.permissions.includes("view_audit") ? <Link to="/audit">Audit</Link> : null}
          {me.data.permissions.includes("manage_settings") ? <Link to="/settings">Settings</Link> : null}
        </nav>
        <div className="who">
          <button className="button search" onClick={search} aria-haspopup="dialog" title="Pages, sessions and actions by their names">
            <Search aria-hidden="true" /> Go to… <kbd>{PALETTE_KEY}</kbd>
          </button>
          <Link to="/account" className="name" title="Your account"><bdi>{me.data.display_name}</bdi></Link>
          <button className="button plain" onClick={() => setTheme(next)} title={label} aria-label={label}>
            <Icon aria-hidden="true" />
          </button>
          <button className="button" onClick={logOutNow} disabled={logOut.isPending}>
            <LogOut aria-hidden="true" /> Log out
          </button>
        </div>
      </header>
      <div className="notices">
        <Failure error={logOut.error} />
        {connected ? null : (
          <div className="message lost" role="status">
            <span className="spinner" aria-hidden="true" /> The connection to the server is lost. What you see may be old; reconnecting by itself.
          </div>
        )}
      </div>
      <main className="page" id="content" tabIndex={-1}>{children(me.data)}</main>
      {searching ? <Palette user={me.data} setTheme={setTheme} logOut={logOutNow} close={found} /> : null}
    </>
  );
}
