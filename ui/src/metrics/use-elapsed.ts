import { useMemo } from "react";
import type { Run } from "~/api/types";
import { useNow } from "~/live/use-now";

/** Seconds; between two answers of the server the page's clock goes on. */
export function useElapsed(run: Run): number {
  const now = useNow(run.is_ended ? 60_000 : 500);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when this state of the run came
  const heardAt = useMemo(() => Date.now(), [run]);
  const isTicking = !run.is_ended && run.started_at !== null;
  return run.metrics.elapsed_seconds + (isTicking ? Math.max(0, now - heardAt) / 1000 : 0);
}
