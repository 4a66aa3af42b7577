// Every address of the pages, in one place.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";

import type { Role } from "./api/client";
import type { UserFilter } from "./api/queries";
import type { AuditSearch } from "./pages/audit";
import { Broken } from "./pages/broken";
import { JoinPage } from "./pages/join";
import { LoginPage } from "./pages/login";
import { NotFound } from "./pages/not-found";
import { ROLES } from "./pages/roles";
import { SessionsPage } from "./pages/sessions";
import { Waiting } from "./ui/parts";

const ID = /^[0-9a-f-]{36}$/;
const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: Broken });

const sessions = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: SessionsPage,
  validateSearch: (search: Record<string, unknown>): { show?: "ended"; after?: string } => ({
    ...(search.show === "ended" ? { show: "ended" } : {}),
    ...(typeof search.after === "string" && ID.test(search.after) ? { after: search.after } : {}),
  }),
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
const setup = createRoute({ getParentRoute: () => root, path: "/setup", component: lazyRouteComponent(() => import("./pages/setup"), "SetupPage") });
const join = createRoute({ getParentRoute: () => root, path: "/join", component: JoinPage });
const users = createRoute({
  getParentRoute: () => root,
  path: "/users",
  component: lazyRouteComponent(() => import("./pages/users"), "UsersPage"),
  validateSearch: (search: Record<string, unknown>): UserFilter => {
    // Digits alone, as somebody types them, arrive as a number.
    const [q, after] = [String(search.q ?? "").slice(0, 100), String(search.after ?? "")];
    const role = typeof search.role === "string" && Object.hasOwn(ROLES, search.role) ? { role: search.role as Role } : {};
    const enabled = typeof search.enabled === "boolean" ? { enabled: search.enabled } : {};
    return { ...(q ? { q } : {}), ...role, ...enabled, ...(after ? { after } : {}) };
  },
});
const settings = createRoute({ getParentRoute: () => root, path: "/settings", component: lazyRouteComponent(() => import("./pages/settings"), "SettingsPage") });
const account = createRoute({ getParentRoute: () => root, path: "/account", component: lazyRouteComponent(() => import("./pages/account"), "AccountPage") });
const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  component: lazyRouteComponent(() => import("./pages/audit"), "AuditPage"),
  validateSearch: (search: Record<string, unknown>): AuditSearch => {
    const text = (key: keyof AuditSearch, shape: RegExp) => {
      const value = search[key];
      return typeof value === "string" && shape.test(value) ? { [key]: value } : {};
    };
    const [name, day] = [/^[a-z_]{1,64}$/, /^\d{4}-\d\d-\d\d$/];
    const after = Number(search.after);
    return {
      ...text("event", name), ...text("actor", ID), ...text("session", ID), ...text("since", day), ...text("until", day),
      ...(Number.isSafeInteger(after) && after > 0 ? { after } : {}),
    };
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
  scrollRestoration: true,
  // A part of the pages that is long in coming.
  defaultPendingMs: 300,
  defaultPendingMinMs: 0,
  defaultPendingComponent: () => <main className="centre"><Waiting>Loading</Waiting></main>,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
