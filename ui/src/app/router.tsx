import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
  redirect,
} from "@tanstack/react-router";
import { fetchRoom } from "~/components/fetched";
import { ProblemState } from "~/components/ProblemState";
import { App } from "./App";
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

const chooseRoute = createRoute({
  getParentRoute: () => loaderRoute,
  path: "/",
  component: lazyRouteComponent(() => fetchRoom(() => import("./ChooseRun")), "ChooseRun"),
});

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
    defaultErrorComponent: ({ error, reset }) => <ProblemState error={toError(error)} onRetry={reset} />,
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

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
