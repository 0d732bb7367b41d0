import { Suspense, useState } from "react";
import type { Run } from "~/api/types";
import { Button } from "~/components/Button";
import { count } from "~/i18n/numbers";
import { useRun } from "~/live/use-run";
import styles from "./Actions.module.css";
import { Downloads } from "./Downloads";
import { CancelDialog, RetryDialog } from "./dialogs";
import { hasSomethingLeft, isOpenToRetries } from "./retryable";
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
      {mayAct && isOpenToRetries(run) && hasSomethingLeft(run) && (
        <Button icon="refresh" onPress={() => setAsked("retry")} tone="primary">
          {retryLabel(run)}
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

/** Counts what is retried unless more is chosen: without the batches that time will not mend. */
function retryLabel({ retryable }: Run): string {
  const { batches, permanent_batches, has_unread_input } = retryable;
  if (batches > permanent_batches) return `Retry failed (${count(batches - permanent_batches)})`;
  return has_unread_input ? "Read on" : "Retry failed";
}
