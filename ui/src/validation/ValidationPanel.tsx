import { Downloads } from "~/actions/Downloads";
import type { Run } from "~/api/types";
import { usePageSearch } from "~/app/usePageSearch";
import { EmptyState } from "~/components/EmptyState";
import { Skeleton } from "~/components/Skeleton";
import { count } from "~/i18n/numbers";
import { useRun } from "~/live/use-run";
import { ExampleList } from "./ExampleList";
import styles from "./ValidationPanel.module.css";

export function ValidationPanel() {
  const run = useRun();
  if (!run)
    return (
      <div className={styles.panel}>
        <Skeleton lines={4} />
      </div>
    );
  const { rows_invalid, rows_rejected } = run.validation_summary;
  if (rows_invalid > 0 || rows_rejected > 0) return <Faults run={run} />;
  return (
    <EmptyState icon={run.is_ended ? "checkCircle" : "clock"} isCompact title="No validation issues">
      {run.is_ended
        ? `All ${count(run.metrics.rows_validated)} validated rows have the fields and the shape that the job asks for.`
        : `${count(run.metrics.rows_validated)} rows validated so far.`}
    </EmptyState>
  );
}

function Faults({ run }: { run: Run }) {
  const summary = run.validation_summary;
  const [, change] = usePageSearch();
  return (
    <div className={styles.panel}>
      <div className={styles.top}>
        <dl className={styles.figures}>
          <Fault name="Required-field errors" value={summary.required_field_errors} />
          <Fault name="Shape errors" value={summary.json_shape_errors} />
          <Fault hint="stored, and marked as invalid" name="Invalid rows" value={summary.rows_invalid} />
          <Fault hint="not stored" name="Rejected rows" value={summary.rows_rejected} />
        </dl>
        <div className={styles.downloads}>
          {summary.rows_invalid > 0 && (
            <Downloads
              isSmall
              items={bothFormats(summary.invalid_records_url, `${run.etl_run_id}-invalid`)}
              label="Invalid records"
            />
          )}
          {summary.rows_rejected > 0 && (
            <Downloads isSmall items={bothFormats(summary.rejects_url, `${run.etl_run_id}-rejects`)} label="Rejects" />
          )}
        </div>
      </div>
      {summary.examples.length > 0 && (
        <section>
          <h3 className={styles.heading}>
            {summary.examples.length === 1 ? "The first example" : `The first ${summary.examples.length} examples`}
          </h3>
          <ExampleList
            examples={summary.examples}
            onBatch={(index) =>
              change({ tab: "batches", expanded: [index], text: String(index), status: undefined, sort: undefined })
            }
          />
        </section>
      )}
    </div>
  );
}

function Fault({ name, value, hint }: { name: string; value: number; hint?: string }) {
  return (
    <div>
      <dt className={styles.name}>{name}</dt>
      <dd className={value > 0 ? styles.some : styles.none}>{count(value)}</dd>
      {hint && <dd className={styles.hint}>{hint}</dd>}
    </div>
  );
}

function bothFormats(url: string, file: string) {
  return [
    { href: withFormat(url, "ndjson"), title: "As NDJSON", file: `${file}.ndjson` },
    { href: withFormat(url, "csv"), title: "As CSV", file: `${file}.csv` },
  ];
}

function withFormat(url: string, format: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}format=${format}`;
}
