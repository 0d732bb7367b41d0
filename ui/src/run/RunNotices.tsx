import { hasSomethingLeft } from "~/actions/retryable";
import type { LastRequest, Run } from "~/api/types";
import { Callout } from "~/components/Callout";
import { Expandable } from "~/components/Expandable";
import { begun, sentence } from "~/components/ProblemState";
import { Time } from "~/components/Time";
import { ConfigurationDiff } from "~/history/ConfigurationDiff";
import { counted, duration } from "~/i18n/numbers";
import styles from "./RunNotices.module.css";
import { turnedDownRetry } from "./transitions";

const SILENCE_SECONDS = 15;

/** What the numbers do not say: why it failed, why it waits, what is different from the last time it went well. */
export function RunNotices({ run }: { run: Run }) {
  const turnedDown = turnedDownRetry(run);
  return (
    <>
      {run.status === "queued" && <Queued run={run} />}
      {turnedDown && <WithoutRetry request={turnedDown} />}
      {run.failure && (
        <Callout title={run.status === "failed" ? "The run failed" : "What went wrong"} tone={failureTone(run)}>
          <Expandable text={begun(run.failure)} />
        </Callout>
      )}
      {run.canceled_at && <Canceled run={run} />}
      {run.is_ended && run.retryable.is_overtaken && hasSomethingLeft(run) && (
        <p className={styles.line}>
          A later run of this job has stored something since: this one can no longer be retried. A new run loads what
          failed here.
        </p>
      )}
      {isSilent(run) && (
        <Callout title="Nothing heard of it" tone="warning">
          Its process has said nothing for {duration(run.silent_seconds ?? 0)}
          {run.host && ` (${run.host}, process ${run.process_id})`}. If it has died, the run is ended as failed and can
          be retried.
        </Callout>
      )}
      {run.configuration_changes.length > 0 && (
        <details className={styles.changes}>
          <summary>
            {counted(run.configuration_changes.length, "setting")} changed since the last success
            {run.last_success && <span className={styles.success}> {run.last_success}</span>}
          </summary>
          <ConfigurationDiff changes={run.configuration_changes} />
        </details>
      )}
    </>
  );
}

function failureTone(run: Run) {
  if (run.status === "failed") return "danger";
  return run.status === "canceled" ? "neutral" : "warning";
}

function isSilent(run: Run): boolean {
  return !run.is_ended && run.status !== "queued" && (run.silent_seconds ?? 0) > SILENCE_SECONDS;
}

function WithoutRetry({ request }: { request: LastRequest }) {
  const isRefused = request.status === "refused";
  return (
    <Callout
      title={isRefused ? "The retry was refused" : "The retry was withdrawn"}
      tone={isRefused ? "danger" : "neutral"}
    >
      {request.refusal && <Expandable text={sentence(request.refusal)} />}
      <p>
        The run stands as it did before. Asked for by {request.requested_by}, {isRefused ? "refused" : "withdrawn"}{" "}
        <Time instant={request.at} />.
      </p>
    </Callout>
  );
}

function Canceled({ run }: { run: Run }) {
  return (
    <p className={styles.line}>
      {run.is_ended ? "Canceled" : "Cancel asked for"} <Time instant={run.canceled_at} />
      {run.canceled_by && ` by ${run.canceled_by}`}
      {!run.is_ended && "; batches that are being stored go to their end"}
    </p>
  );
}

function Queued({ run }: { run: Run }) {
  const { queueing } = run;
  if (queueing && queueing.workers === 0)
    return (
      <Callout icon="clock" title="Queued: no worker is running" tone="warning">
        <p>
          Start one on any machine that reaches the database: <code>etl staging worker</code>
        </p>
        <p>This run begins by itself as soon as one is there.</p>
      </Callout>
    );
  return (
    <Callout icon="clock" title="Queued" tone="neutral">
      {whatItWaitsFor(run)}
    </Callout>
  );
}

function whatItWaitsFor({ queueing }: Run): string {
  if (queueing?.waits_for) return sentence(queueing.waits_for);
  if (!queueing || queueing.ahead === 0) return "A worker takes it up in a moment.";
  return `${counted(queueing.ahead, "request")} ahead of it; ${counted(queueing.workers, "worker")} at work.`;
}
