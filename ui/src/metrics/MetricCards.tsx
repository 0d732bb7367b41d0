import type { Run } from "~/api/types";
import { Skeleton } from "~/components/Skeleton";
import { count, duration, milliseconds } from "~/i18n/numbers";
import { useRun } from "~/live/use-run";
import { BatchProgress } from "./BatchProgress";
import { Figure } from "./Figure";
import styles from "./MetricCards.module.css";
import { RateChart } from "./RateChart";
import { useElapsed } from "./use-elapsed";
import { useRates } from "./use-rates";

/** What the run has done; while it is under way: so far. */
export function MetricCards() {
  const run = useRun();
  if (!run)
    return (
      <div className={styles.tile}>
        <Skeleton lines={3} />
      </div>
    );
  return (
    <section aria-label="Metrics" className={styles.cards}>
      <Rows run={run} />
      <Batches run={run} />
      <Durations run={run} />
      <Throughput run={run} />
    </section>
  );
}

function Rows({ run: { metrics } }: { run: Run }) {
  const rest = [
    metrics.rows_deduplicated > 0 && `${count(metrics.rows_deduplicated)} deduplicated`,
    metrics.rows_rejected > 0 && `${count(metrics.rows_rejected)} rejected`,
  ].filter(Boolean);
  return (
    <dl className={`${styles.tile} ${styles.rows}`}>
      <Figure name="Rows inserted" value={count(metrics.rows_inserted)} />
      <Figure name="Rows updated" value={count(metrics.rows_updated)} />
      <Figure name="Rows unchanged" note={rest.join(", ")} value={count(metrics.rows_unchanged)} />
      <Figure
        isWarning={metrics.rows_invalid > 0}
        name="Rows validated"
        note={metrics.rows_invalid > 0 ? `${count(metrics.rows_invalid)} invalid` : "none invalid"}
        value={count(metrics.rows_validated)}
      />
    </dl>
  );
}

function Batches({ run }: { run: Run }) {
  const { metrics } = run;
  const isSoFar = !metrics.is_batches_total_final;
  return (
    <div className={`${styles.tile} ${styles.batches}`}>
      <dl className={styles.pair}>
        <Figure
          name="Batches succeeded"
          note={`of ${count(metrics.batches_total)}${isSoFar ? " so far" : ""}`}
          value={count(metrics.batches_succeeded)}
        />
        <Figure isFailure={metrics.batches_failed > 0} name="Failed" value={count(metrics.batches_failed)} />
        <Figure name="Retries" value={count(metrics.retries)} />
      </dl>
      <BatchProgress metrics={metrics} />
    </div>
  );
}

function Durations({ run }: { run: Run }) {
  const elapsed = useElapsed(run);
  return (
    <dl className={`${styles.tile} ${styles.durations}`}>
      <Figure name="Elapsed" value={run.started_at === null ? "–" : duration(elapsed)} />
      <Figure name="Average batch" value={milliseconds(run.metrics.batch_duration_ms_avg)} />
      <Figure name="95th percentile" value={milliseconds(run.metrics.batch_duration_ms_p95)} />
    </dl>
  );
}

function Throughput({ run }: { run: Run }) {
  const rates = useRates();
  const rate = Math.round(run.metrics.throughput_rps);
  return (
    <div className={`${styles.tile} ${styles.throughput}`}>
      <dl>
        <Figure
          name="Rows a second"
          note={rates ? `at most ${count(Math.round(rates.highest))}` : ""}
          value={count(rate)}
        />
      </dl>
      {rates && <RateChart rates={rates} />}
      {!rates && (
        <p className={styles.quiet}>{run.is_ended ? "Nothing was stored." : "As soon as a batch is stored."}</p>
      )}
    </div>
  );
}
