import { useEffect } from "react";
import type { Run } from "~/api/types";
import { dismiss, toast } from "~/components/toasts";
import { errorsTopic } from "./topics";
import { newsOf, type Seen, seenOf } from "./transitions";

const seen = new Map<string, Seen>();
const MOST_REMEMBERED = 200;

/** A run that this page has asked for: that it starts will be news. */
export function rememberAsked(run: Run): void {
  remember(run.etl_run_id, { status: "queued", retries: run.metrics.retries, isEnded: false, turnedDown: null });
}

/** Toasts for what happens to the run while the page is open. */
export function useRunNews(run: Run | null | undefined): void {
  useEffect(() => {
    if (!run) return;
    for (const news of newsOf(seen.get(run.etl_run_id), run)) toast(news);
    if (run.is_ended) dismiss(errorsTopic(run.etl_run_id));
    remember(run.etl_run_id, seenOf(run));
  }, [run]);
}

function remember(etl_run_id: string, state: Seen): void {
  seen.delete(etl_run_id);
  seen.set(etl_run_id, state);
  const oldest = seen.keys().next().value;
  if (seen.size > MOST_REMEMBERED && oldest !== undefined) seen.delete(oldest);
}
