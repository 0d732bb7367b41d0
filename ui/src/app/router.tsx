import { createRootRoute, createRoute, createRouter, type RouterHistory, redirect } from "@tanstack/react-router";
import { App } from "./App";
import { ChooseRun } from "./ChooseRun";
import { NotFound } from "./NotFound";
import { RunPage } from "./RunPage";
import { parseSearch, stringifySearch, validatedSearch } from "./search";

const rootRoute = createRootRoute({ component: App, notFoundComponent: NotFound });

const homeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/etl/data-loader", replace: true });
  },
});

const loaderRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/etl/data-loader",
  validateSearch: validatedSearch,
});

const chooseRoute = createRoute({ getParentRoute: () => loaderRoute, path: "/", component: ChooseRun });

const runRoute = createRoute({
  getParentRoute: () => loaderRoute,
  path: "$etl_job_id/$etl_run_id",
  component: RunPage,
});

const routeTree = rootRoute.addChildren([homeRoute, loaderRoute.addChildren([chooseRoute, runRoute])]);

export function newRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    parseSearch,
    stringifySearch,
    defaultPreload: false,
    scrollRestoration: false,
    ...(history && { history }),
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
