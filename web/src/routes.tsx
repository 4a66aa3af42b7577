// Every address of the pages, in one place.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";

import { AccountPage } from "./pages/account";
import { AuditPage, type AuditSearch } from "./pages/audit";
import { JoinPage } from "./pages/join";
import { LoginPage } from "./pages/login";
import { NotFound } from "./pages/not-found";
import { SessionsPage } from "./pages/sessions";
import { SettingsPage } from "./pages/settings";
import { SetupPage } from "./pages/setup";
import { UsersPage } from "./pages/users";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const sessions = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: SessionsPage,
  validateSearch: (search: Record<string, unknown>): { show?: "ended" } =>
    search.show === "ended" ? { show: "ended" } : {},
});
const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  component: LoginPage,
  validateSearch: (search: Record<string, unknown>): { to?: string } => {
    // Only addresses of our own.
    const to = typeof search.to === "string" && /^\/(?!\/)/.test(search.to) ? search.to : undefined;
    return to ? { to } : {};
  },
});
const setup = createRoute({ getParentRoute: () => root, path: "/setup", component: SetupPage });
const join = createRoute({ getParentRoute: () => root, path: "/join", component: JoinPage });
const users = createRoute({ getParentRoute: () => root, path: "/users", component: UsersPage });
const settings = createRoute({ getParentRoute: () => root, path: "/settings", component: SettingsPage });
const account = createRoute({ getParentRoute: () => root, path: "/account", component: AccountPage });
const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  component: AuditPage,
  validateSearch: (search: Record<string, unknown>): AuditSearch => {
    const text = (key: keyof AuditSearch, shape: RegExp) => {
      const value = search[key];
      return typeof value === "string" && shape.test(value) ? { [key]: value } : {};
    };
    const [name, id, day] = [/^[a-z_]{1,64}$/, /^[0-9a-f-]{36}$/, /^\d{4}-\d\d-\d\d$/];
    return { ...text("event", name), ...text("actor", id), ...text("session", id), ...text("since", day), ...text("until", day) };
  },
});
const viewer = createRoute({
  getParentRoute: () => root,
  path: "/sessions/$id/view",
  component: lazyRouteComponent(() => import("./viewer/page"), "ViewerPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([sessions, users, audit, settings, account, login, setup, join, viewer]),
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
