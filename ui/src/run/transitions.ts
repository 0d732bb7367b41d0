import type { Run, RunStatus } from "~/api/types";
import type { ToastContent } from "~/components/toasts";
import { count, counted, duration } from "~/i18n/numbers";

/** What is remembered of a run, to notice what has happened to it since. */
export interface Seen {
  readonly status: RunStatus;
  readonly retries: number;
  readonly isEnded: boolean;
}

export function seenOf(run: Run): Seen {
  return { status: run.status, retries: run.metrics.retries, isEnded: run.is_ended };
}

/** What there is to tell of a run that was seen before and is so now. Nothing is told of a run that is new to the page. */
export function newsOf(before: Seen | undefined, run: Run): readonly ToastContent[] {
  if (!before) return [];
  const news: ToastContent[] = [];
  if ((before.status === "queued" || before.isEnded) && !run.is_ended && run.status !== "queued") news.push(begun(run));
  if (run.metrics.retries > before.retries && !run.is_ended)
    news.push(retrying(run, run.metrics.retries - before.retries));
  // a short retry begins and ends between two looks
  if (run.is_ended && (!before.isEnded || before.status !== run.status)) news.push(ended(run));
  return news;
}

/** The first time, or by a retry. */
function begun({ etl_run_id, resumed_at }: Run): ToastContent {
  return { tone: "info", title: resumed_at === null ? "Run started" : "Run taken up again", description: etl_run_id };
}

function retrying(run: Run, times: number): ToastContent {
  return {
    tone: "warning",
    title: "Transient database error (will retry)",
    description: `${counted(times, "batch attempt", "batch attempts")} of ${run.etl_run_id} met an error that passes.`,
  };
}

function ended(run: Run): ToastContent {
  const { metrics } = run;
  switch (run.status) {
    case "failed":
      return { tone: "danger", title: "Run failed", description: run.failure ?? run.etl_run_id };
    case "partial_success":
      return {
        tone: "warning",
        title: "Run completed in part",
        description: `${counted(metrics.batches_failed, "batch", "batches")} failed. ${run.failure ?? ""}`.trim(),
      };
    case "canceled":
      return { tone: "neutral", title: "Run canceled", description: run.etl_run_id };
    default:
      return { tone: "success", title: "Run completed", description: summary(run) };
  }
}

function summary({ metrics }: Run): string {
  const { rows_inserted, rows_updated, rows_unchanged, elapsed_seconds } = metrics;
  const counts = `${count(rows_inserted)} inserted, ${count(rows_updated)} updated, ${count(rows_unchanged)} unchanged`;
  return `${counts} in ${duration(elapsed_seconds)}.`;
}
