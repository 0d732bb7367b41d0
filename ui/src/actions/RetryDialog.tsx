import { useState } from "react";
import { Checkbox } from "react-aria-components/Checkbox";
import type { BatchRow, Run } from "~/api/types";
import { ConfirmDialog } from "~/components/Dialog";
import { Icon } from "~/components/Icon";
import { toast } from "~/components/toasts";
import { count, counted } from "~/i18n/numbers";
import { useRun, useRunStore } from "~/live/use-run";
import { stateTopic } from "~/run/topics";
import styles from "./Actions.module.css";
import { RequestProblem } from "./RequestProblem";
import { requestRetry } from "./requests";
import { useRequest } from "./use-request";

interface RetryDialogProps {
  /** Only this one; absent: all that are left. */
  batch?: number;
  onClose: () => void;
}

export function RetryDialog({ batch, onClose }: RetryDialogProps) {
  const run = useRun();
  const row = useRunStore().row(batch ?? -1);
  if (!run) return null;
  return batch === undefined || !row ? (
    <RetryAll onClose={onClose} run={run} />
  ) : (
    <RetryOne onClose={onClose} row={row} run={run} />
  );
}

function RetryAll({ run, onClose }: { run: Run; onClose: () => void }) {
  const { batches, rows, permanent_batches, permanent_rows, has_unread_input } = run.retryable;
  const [includesPermanent, setIncludesPermanent] = useState(false);
  const chosen = includesPermanent ? batches : batches - permanent_batches;
  const chosenRows = includesPermanent ? rows : rows - permanent_rows;
  const wish = { etl_run_id: run.etl_run_id, batch_indexes: null, includes_permanent: includesPermanent };
  const request = useRequest(wish, requestRetry, () => {
    told(run, chosen);
    onClose();
  });
  const isNothing = chosen === 0 && !has_unread_input;
  return (
    <ConfirmDialog
      confirm={confirmation(chosen, has_unread_input)}
      isDisabled={isNothing}
      isOpen
      isPending={request.isPending}
      onCancel={onClose}
      onConfirm={() => request.mutate()}
      title="Retry what is left of this run?"
    >
      <p>
        {chosen > 0 ? (
          <>
            <strong>{counted(chosen, "batch", "batches")}</strong> with <strong>{counted(chosenRows, "row")}</strong>{" "}
            will be stored again. What was stored before stays as it is.
          </>
        ) : (
          "No batch is left that time may have mended."
        )}
      </p>
      {has_unread_input && <p>The input was not read to its end: the retry reads on from there.</p>}
      {permanent_batches > 0 && (
        <Checkbox className={styles.choice ?? ""} isSelected={includesPermanent} onChange={setIncludesPermanent}>
          <span className={styles.box}>
            <Icon name="check" size={14} />
          </span>
          <span>
            Include {counted(permanent_batches, "batch", "batches")} ({counted(permanent_rows, "row")}) whose error will
            not pass by itself. Choose this once its cause is mended.
          </span>
        </Checkbox>
      )}
      <RequestProblem error={request.error} />
    </ConfirmDialog>
  );
}

function RetryOne({ run, row, onClose }: { run: Run; row: BatchRow; onClose: () => void }) {
  const isPermanent = row.error_is_permanent === true;
  const wish = { etl_run_id: run.etl_run_id, batch_indexes: [row.index], includes_permanent: isPermanent };
  const request = useRequest(wish, requestRetry, () => {
    told(run, 1);
    onClose();
  });
  return (
    <ConfirmDialog
      confirm="Retry 1 batch"
      isOpen
      isPending={request.isPending}
      onCancel={onClose}
      onConfirm={() => request.mutate()}
      title={`Retry batch ${count(row.index)}?`}
    >
      <p>
        <strong>1 batch</strong> with <strong>{counted(row.records, "row")}</strong> will be stored again.
      </p>
      {isPermanent && <p>Its error will not pass by itself: retry it once the cause is mended.</p>}
      <RequestProblem error={request.error} />
    </ConfirmDialog>
  );
}

function confirmation(batches: number, hasUnreadInput: boolean): string {
  if (batches > 0) return `Retry ${counted(batches, "batch", "batches")}`;
  return hasUnreadInput ? "Read on" : "Nothing to retry";
}

function told({ etl_run_id }: Run, batches: number): void {
  toast({
    topic: stateTopic(etl_run_id),
    tone: "info",
    title: "Retry requested",
    description: batches > 0 ? counted(batches, "batch", "batches") : "The input is read on.",
  });
}
