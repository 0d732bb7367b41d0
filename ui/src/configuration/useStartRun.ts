import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { answer, client } from "~/api/client";
import { useIdempotencyKeys } from "~/api/idempotency";
import { jobQuery, runQuery } from "~/api/queries";
import type { Run } from "~/api/types";

export interface Wish {
  readonly etl_job_id: string;
  readonly etl_run_id: string;
  readonly batch_size: number;
  /** Although a run of the job is in progress. */
  readonly force: boolean;
}

const STARTING = ["start run"];
const DOUBLE_CLICK_MILLISECONDS = 800;

/** Asks for a run. However often it is pressed, one wish starts one run. */
export function useStartRun(onStarted: (run: Run) => void) {
  const queries = useQueryClient();
  const { keyOf, forget } = useIdempotencyKeys();
  const startedAt = useRef(Number.NEGATIVE_INFINITY);
  const mutation = useMutation({
    mutationKey: STARTING,
    mutationFn: ({ etl_job_id, ...body }: Wish) =>
      answer(
        client.POST("/api/jobs/{etl_job_id}/runs", {
          params: { path: { etl_job_id }, header: { "Idempotency-Key": keyOf({ etl_job_id, ...body }) } },
          body,
        }),
      ),
    onSuccess: (run) => {
      forget();
      startedAt.current = performance.now();
      queries.setQueryData(runQuery(run.etl_run_id).queryKey, run);
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      // known at once: the next start is asked about
      queries.setQueryData(jobQuery(run.etl_job_id).queryKey, (job) => job && { ...job, live_run_id: run.etl_run_id });
      void queries.invalidateQueries(jobQuery(run.etl_job_id));
      onStarted(run);
    },
  });
  /** Also for the second press of a double click where the answer came between the two. */
  const isStarting = () =>
    queries.isMutating({ mutationKey: STARTING }) > 0 ||
    performance.now() - startedAt.current < DOUBLE_CLICK_MILLISECONDS;
  return { ...mutation, isStarting };
}
