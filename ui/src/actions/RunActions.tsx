import { Suspense, useState } from "react";
import type { Run } from "~/api/types";
import { Button } from "~/components/Button";
import { count } from "~/i18n/numbers";
import { useRun } from "~/live/use-run";
import styles from "./Actions.module.css";
import { Downloads } from "./Downloads";
import { CancelDialog, RetryDialog } from "./dialogs";
import { useMayAct } from "./use-may-act";

/** What can be done with the watched run. Viewers download; operators also retry and cancel. */
export function RunActions() {
  const run = useRun();
  const mayAct = useMayAct();
  const [asked, setAsked] = useState<"retry" | "cancel" | null>(null);
  if (!run) return null;
  const close = () => setAsked(null);
  return (
    <div className={styles.actions}>
      {mayAct && isRetryable(run) && (
        <Button icon="refresh" onPress={() => setAsked("retry")} tone="primary">
          {run.retryable.batches > 0 ? `Retry failed (${count(run.retryable.batches)})` : "Read on"}
        </Button>
      )}
      {mayAct && run.may_cancel && (
        <Button icon="ban" onPress={() => setAsked("cancel")}>
          Cancel
        </Button>
      )}
      <Downloads
        items={[
          { href: run.logs_url, title: "Logs (NDJSON)", file: `${run.etl_run_id}-logs.ndjson` },
          { href: run.metrics_download_url, title: "Metrics (CSV)", file: `${run.etl_run_id}-metrics.csv` },
        ]}
        label="Download"
      />
      <Suspense>
        {asked === "retry" && <RetryDialog onClose={close} />}
        {asked === "cancel" && <CancelDialog onClose={close} run={run} />}
      </Suspense>
    </div>
  );
}

function isRetryable(run: Run): boolean {
  return run.is_ended && (run.retryable.batches > 0 || run.retryable.has_unread_input);
}
