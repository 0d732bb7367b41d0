import type { Run } from "~/api/types";
import { ConfirmDialog } from "~/components/Dialog";
import { toast } from "~/components/toasts";
import { RequestProblem } from "./RequestProblem";
import { requestCancel } from "./requests";
import { useRequest } from "./use-request";

export function CancelDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const request = useRequest({ etl_run_id: run.etl_run_id }, requestCancel, () => {
    toast({ tone: "neutral", title: "Cancel requested", description: `Run ${run.etl_run_id}` });
    onClose();
  });
  return (
    <ConfirmDialog
      cancel="Let it run"
      confirm="Cancel the run"
      isDangerous
      isOpen
      isPending={request.isPending}
      onCancel={onClose}
      onConfirm={() => request.mutate()}
      title="Cancel this run?"
    >
      {run.status === "queued" ? (
        <p>It has not begun. It ends at once, and nothing is stored.</p>
      ) : (
        <p>
          Batches that are being stored go to their end, and what is stored stays. The rest can be taken up again by a
          retry.
        </p>
      )}
      <RequestProblem error={request.error} />
    </ConfirmDialog>
  );
}
