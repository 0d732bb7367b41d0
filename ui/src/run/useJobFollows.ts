import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { jobQuery } from "~/api/queries";
import type { Run } from "~/api/types";

/** What is known of the job, its history too, is asked for again at each turn of the run, whoever has brought it about. */
export function useJobFollows(run: Run | null): void {
  const queries = useQueryClient();
  const job = run?.etl_job_id;
  const turn = run && `${run.etl_run_id} ${run.status}`;
  useEffect(() => {
    if (job && turn) void queries.invalidateQueries(jobQuery(job));
  }, [queries, job, turn]);
}
