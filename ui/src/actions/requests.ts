import { answer, client } from "~/api/client";
import { randomHex } from "~/api/random";
import type { Run } from "~/api/types";

/** One for each decision: a second press, or a request that is sent again, is the same wish. */
export function newIdempotencyKey(): string {
  return randomHex(16);
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
