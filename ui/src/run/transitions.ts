import type { LastRequest, Run, RunStatus } from "~/api/types";
import { sentence } from "~/components/ProblemState";
import type { ToastContent } from "~/components/toasts";
import { count, counted, duration } from "~/i18n/numbers";
import { errorsTopic, stateTopic } from "./topics";

/** What is remembered of a run, to notice what has happened to it since. */
export interface Seen {
  readonly status: RunStatus;
  readonly retries: number;
  readonly isEnded: boolean;
  /** Its latest request that was refused or withdrawn: told once. */
  readonly turnedDown: number | null;
}

export function seenOf(run: Run): Seen {
  const turnedDown = turnedDownRetry(run)?.id ?? null;
  return { status: run.status, retries: run.metrics.retries, isEnded: run.is_ended, turnedDown };
}

/** The retry of a run that stands as it did before, because its latest request for one came to nothing. */
export function turnedDownRetry({ is_ended, resumed_at, last_request: request }: Run): LastRequest | null {
  if (!is_ended || request?.action !== "retry") return null;
  // taken up since, by a command line or an orchestrator, which asks nobody
  if (resumed_at !== null && Date.parse(resumed_at) > Date.parse(request.at)) return null;
  return request.status === "refused" || request.status === "withdrawn" ? request : null;
}

/** What there is to tell of a run that was seen before and is so now. Nothing is told of a run that is new to the page. */
export function newsOf(before: Seen | undefined, run: Run): readonly ToastContent[] {
  if (!before) return [];
  const news: ToastContent[] = [];
  if ((before.status === "queued" || before.isEnded) && !run.is_ended && run.status !== "queued") news.push(begun(run));
  if (run.metrics.retries > before.retries && !run.is_ended) news.push(retrying(run));
  const turnedDown = turnedDownRetry(run);
  if (turnedDown) {
    if (turnedDown.id !== before.turnedDown) news.push(withoutRetry(run, turnedDown));
    // a short retry begins and ends between two looks
  } else if (run.is_ended && (!before.isEnded || before.status !== run.status)) news.push(ended(run));
  return news;
}

/** The first time, or by a retry. */
function begun({ etl_run_id, resumed_at }: Run): ToastContent {
  const title = resumed_at === null ? "Run started" : "Run taken up again";
  return { topic: stateTopic(etl_run_id), tone: "info", title, description: etl_run_id };
}

/** Counts the run's, not those since it was last told: an outage is one piece of news, whose number grows. */
function retrying({ etl_run_id, metrics }: Run): ToastContent {
  return {
    topic: errorsTopic(etl_run_id),
    tone: "warning",
    title: "Transient database error (will retry)",
    description: `${counted(metrics.retries, "batch attempt", "batch attempts")} of ${etl_run_id} met an error that passes.`,
  };
}

function withoutRetry({ etl_run_id }: Run, { status, refusal }: LastRequest): ToastContent {
  const description = refusal ? sentence(refusal) : etl_run_id;
  const topic = stateTopic(etl_run_id);
  return status === "refused"
    ? { topic, tone: "danger", title: "Retry refused", description }
    : { topic, tone: "neutral", title: "Retry withdrawn", description };
}

function ended(run: Run): ToastContent {
  return { topic: stateTopic(run.etl_run_id), ...outcome(run) };
}

function outcome(run: Run): ToastContent {
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
