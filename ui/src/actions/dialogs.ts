import { fetched } from "~/components/fetched";

/** Fetched when they are first asked for. */
export const RetryDialog = fetched(() => import("./RetryDialog").then((room) => room.RetryDialog));
export const CancelDialog = fetched(() => import("./CancelDialog").then((room) => room.CancelDialog));
