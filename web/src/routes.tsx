// Every address of the pages, in one place.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";

import { JoinPage } from "./pages/join";
import { LoginPage } from "./pages/login";
import { NotFound } from "./pages/not-found";
import { SessionsPage } from "./pages/sessions";
import { SetupPage } from "./pages/setup";

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
const viewer = createRoute({
  getParentRoute: () => root,
  path: "/sessions/$id/view",
  component: lazyRouteComponent(() => import("./viewer/page"), "ViewerPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([sessions, login, setup, join, viewer]),
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
