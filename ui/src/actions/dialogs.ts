import { lazy } from "react";

/** Fetched when they are first asked for. */
export const RetryDialog = lazy(() => import("./RetryDialog").then((room) => ({ default: room.RetryDialog })));
export const CancelDialog = lazy(() => import("./CancelDialog").then((room) => ({ default: room.CancelDialog })));
