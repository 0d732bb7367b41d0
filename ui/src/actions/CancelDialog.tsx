import type { Run } from "~/api/types";
import { ConfirmDialog } from "~/components/Dialog";
import { toast } from "~/components/toasts";
import { counted } from "~/i18n/numbers";
import { stateTopic } from "~/run/topics";
import { RequestProblem } from "./RequestProblem";
import { requestCancel } from "./requests";
import { useRequest } from "./use-request";

export function CancelDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const request = useRequest({ etl_run_id: run.etl_run_id }, requestCancel, () => {
    toast({
      topic: stateTopic(run.etl_run_id),
      tone: "neutral",
      title: "Cancel requested",
      description: `Run ${run.etl_run_id}`,
    });
    onClose();
  });
  const isRetry = run.status === "queued" && run.last_request?.action === "retry";
  return (
    <ConfirmDialog
      cancel={isRetry ? "Let it wait" : "Let it run"}
      confirm={isRetry ? "Withdraw the retry" : "Cancel the run"}
      isDangerous
      isOpen
      isPending={request.isPending}
      onCancel={onClose}
      onConfirm={() => request.mutate()}
      title={isRetry ? "Withdraw this retry?" : "Cancel this run?"}
    >
      <p>{consequence(run, isRetry)}</p>
      <RequestProblem error={request.error} />
    </ConfirmDialog>
  );
}

function consequence({ status, metrics }: Run, isRetry: boolean): string {
  if (isRetry) {
    const stored = metrics.rows_inserted + metrics.rows_updated + metrics.rows_unchanged;
    const stays = stored > 0 ? `the ${counted(stored, "row")} that it has stored` : "what it has stored";
    return `The retry has not begun. The run is as it was before: ${stays} and the batches that failed stay.`;
  }
  if (status === "queued") return "It has not begun. It ends at once, and nothing is stored.";
  return "Batches that are being stored go to their end, and what is stored stays. The rest can be taken up again by a retry.";
}
