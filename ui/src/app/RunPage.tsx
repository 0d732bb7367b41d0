import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { runQuery } from "~/api/queries";
import { RunStatusBadge } from "~/components/StatusBadge";

export function RunPage() {
  const { etl_run_id } = useParams({ from: "/etl/data-loader/$etl_job_id/$etl_run_id" });
  const { data: run } = useQuery(runQuery(etl_run_id));
  return run ? <RunStatusBadge isLarge status={run.status} /> : null;
}
