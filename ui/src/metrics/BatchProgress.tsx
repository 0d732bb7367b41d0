import type { RunMetrics } from "~/api/types";
import { count, counted } from "~/i18n/numbers";
import styles from "./MetricCards.module.css";

/** Succeeded and failed of all; of a total that still grows it is no measure, and is drawn as such. */
export function BatchProgress({ metrics }: { metrics: RunMetrics }) {
  const { batches_total: total, batches_succeeded: succeeded, batches_failed: failed } = metrics;
  const share = (batches: number) => `${total === 0 ? 0 : (100 * batches) / total}%`;
  const words = `${count(succeeded)} of ${counted(total, "batch", "batches")} succeeded, ${count(failed)} failed`;
  return (
    <div
      aria-label={metrics.is_batches_total_final ? words : `${words}; the input is still being read`}
      className={styles.bar}
      data-growing={!metrics.is_batches_total_final}
      role="img"
    >
      <span className={styles.done} style={{ width: share(succeeded) }} />
      {failed > 0 && <span className={styles.bad} style={{ width: share(failed) }} />}
    </div>
  );
}
