import type { BatchStatus, RunStatus } from "~/api/types";
import { Badge, type Tone } from "./Badge";
import type { IconName } from "./Icon";

interface Look {
  readonly text: string;
  readonly tone: Tone;
  readonly icon: IconName;
  readonly isSpinning?: boolean;
}

export const RUN_LOOKS: Readonly<Record<RunStatus, Look>> = {
  idle: { text: "Idle", tone: "neutral", icon: "circle" },
  queued: { text: "Queued", tone: "neutral", icon: "clock" },
  validating: { text: "Validating", tone: "info", icon: "loader", isSpinning: true },
  loading: { text: "Loading", tone: "info", icon: "loader", isSpinning: true },
  committing: { text: "Committing", tone: "info", icon: "loader", isSpinning: true },
  partial_success: { text: "Partial success", tone: "warning", icon: "alert" },
  success: { text: "Success", tone: "success", icon: "checkCircle" },
  failed: { text: "Failed", tone: "danger", icon: "xCircle" },
  canceled: { text: "Canceled", tone: "neutral", icon: "ban" },
};

export const BATCH_LOOKS: Readonly<Record<BatchStatus, Look>> = {
  pending: { text: "Pending", tone: "neutral", icon: "circle" },
  running: { text: "Running", tone: "info", icon: "loader", isSpinning: true },
  retried: { text: "Retried", tone: "warning", icon: "refresh" },
  succeeded: { text: "Succeeded", tone: "success", icon: "check" },
  failed: { text: "Failed", tone: "danger", icon: "xCircle" },
};

export function RunStatusBadge({ status, isLarge = false }: { status: RunStatus; isLarge?: boolean }) {
  const { text, ...look } = RUN_LOOKS[status];
  return (
    <Badge {...look} isLarge={isLarge}>
      {text}
    </Badge>
  );
}

/** `retries`: said with the state `retried`. */
export function BatchStatusBadge({ status, retries = 0 }: { status: BatchStatus; retries?: number }) {
  const { text, ...look } = BATCH_LOOKS[status];
  return <Badge {...look}>{status === "retried" && retries > 0 ? `${text} (${retries})` : text}</Badge>;
}
