import { answer, client } from "~/api/client";
import type { EventStream, RunApi } from "./ports";

/** A request that hangs is one that failed. */
const PATIENCE_MS = 15_000;

export function runApi(etl_run_id: string): RunApi {
  const path = { etl_run_id };
  return {
    openEvents: (lastId) => new EventSource(eventsUrl(etl_run_id, lastId)) as EventStream,
    fetchChange: (since, signal) =>
      answer(
        client.GET("/api/runs/{etl_run_id}/changes", {
          params: { path, query: since === null ? {} : { since } },
          signal: patient(signal),
        }),
      ),
    fetchPage: (after, limit, signal) =>
      answer(
        client.GET("/api/runs/{etl_run_id}/batches", {
          params: { path, query: after === null ? { limit } : { limit, after } },
          signal: patient(signal),
        }),
      ),
  };
}

function eventsUrl(etl_run_id: string, lastId: string | null): string {
  const query = lastId === null ? "" : `?last_event_id=${encodeURIComponent(lastId)}`;
  return `/api/runs/${encodeURIComponent(etl_run_id)}/events${query}`;
}

function patient(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
}
