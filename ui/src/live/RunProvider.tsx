import { type ReactNode, useEffect, useMemo } from "react";
import { runApi } from "./run-api";
import { RunWatch } from "./run-watch";
import { RunWatchContext } from "./use-run";

/** Watches a run for as long as it is shown. Give it the run's id as its key: another run is another watch. */
export function RunProvider({ etl_run_id, children }: { etl_run_id: string; children: ReactNode }) {
  const watch = useMemo(() => new RunWatch(runApi(etl_run_id)), [etl_run_id]);
  useEffect(() => watch.start(), [watch]);
  return <RunWatchContext value={watch}>{children}</RunWatchContext>;
}
