import { answer, client } from "~/api/client";
import type { Run } from "~/api/types";

export interface Retry {
  readonly etl_run_id: string;
  /** Null: all that are left. */
  readonly batch_indexes: readonly number[] | null;
  readonly includes_permanent: boolean;
}

export function requestRetry({ etl_run_id, ...body }: Retry, key: string): Promise<Run> {
  return answer(
    client.POST("/api/runs/{etl_run_id}/retry", {
      params: { path: { etl_run_id }, header: { "Idempotency-Key": key } },
      body,
    }),
  );
}

export function requestCancel({ etl_run_id }: { readonly etl_run_id: string }, key: string): Promise<Run> {
  return answer(
    client.POST("/api/runs/{etl_run_id}/cancel", {
      params: { path: { etl_run_id }, header: { "Idempotency-Key": key } },
    }),
  );
}
