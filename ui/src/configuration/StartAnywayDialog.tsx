import { Link } from "@tanstack/react-router";
import { ConfirmDialog } from "~/components/Dialog";
import type { Wish } from "./useStartRun";

interface StartAnywayDialogProps {
  wish: Wish;
  liveRunId: string | null;
  isPending: boolean;
  onConfirm: () => void;
  onCancel: () => void;
}

/** Asks before a second run of a job begins beside the first. */
export function StartAnywayDialog({ wish, liveRunId, ...dialog }: StartAnywayDialogProps) {
  return (
    <ConfirmDialog {...dialog} confirm="Start anyway" isOpen title="Another run of this job is in progress">
      {liveRunId && (
        <p>
          <Link
            onClick={dialog.onCancel}
            params={{ etl_job_id: wish.etl_job_id, etl_run_id: liveRunId }}
            to="/etl/data-loader/$etl_job_id/$etl_run_id"
          >
            {liveRunId}
          </Link>{" "}
          has not ended yet.
        </p>
      )}
      <p>
        Both runs would write to the same table. No record is lost by that: of two versions the later one stays,
        whichever run brings it. But each run takes time from the other, and the counts of inserted and updated rows
        depend on which came first.
      </p>
    </ConfirmDialog>
  );
}
