import { ProblemError } from "~/api/problem";
import type { BatchPage, Change } from "~/api/types";

/** What of the browser's EventSource is used. */
export interface EventStream {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** The way to the API for one run; run-api.ts has the real one. */
export interface RunApi {
  /** `lastId`: everything since that event is sent again. */
  openEvents(lastId: string | null): EventStream;
  /** Without `since`: the run and all its batches. */
  fetchChange(since: string | null, signal: AbortSignal): Promise<Change>;
  fetchPage(after: number | null, limit: number, signal: AbortSignal): Promise<BatchPage>;
}

/** Asking again will not help: signed out, no permission, no such run. */
export function isFinal(error: unknown): error is ProblemError {
  return (
    error instanceof ProblemError &&
    error.problem.status >= 400 &&
    error.problem.status < 500 &&
    error.problem.status !== 429
  );
}
