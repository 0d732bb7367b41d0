import { answer, client } from "~/api/client";
import type { Run } from "~/api/types";

/** One for each decision: a second press, or a request that is sent again, is the same wish. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain http
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export interface Retry {
  readonly etl_run_id: string;
  /** Null: all that are left. */
  readonly batch_indexes: readonly number[] | null;
  readonly includes_permanent: boolean;
  readonly key: string;
}

export function requestRetry({ etl_run_id, batch_indexes, includes_permanent, key }: Retry): Promise<Run> {
  return answer(
    client.POST("/api/runs/{etl_run_id}/retry", {
      params: { path: { etl_run_id }, header: { "Idempotency-Key": key } },
      body: { batch_indexes, includes_permanent },
    }),
  );
}

export function requestCancel(etl_run_id: string, key: string): Promise<Run> {
  return answer(
    client.POST("/api/runs/{etl_run_id}/cancel", {
      params: { path: { etl_run_id }, header: { "Idempotency-Key": key } },
    }),
  );
}
