import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useLayoutEffect, useRef } from "react";
import type { Batch, BatchRow } from "~/api/types";
import { Button } from "~/components/Button";
import { Expandable } from "~/components/Expandable";
import { Skeleton } from "~/components/Skeleton";
import { count } from "~/i18n/numbers";
import { useRunStore } from "~/live/use-run";
import { ExampleList } from "~/validation/ExampleList";
import styles from "./BatchDetail.module.css";
import { batchQuery } from "./batch-query";
import { columns } from "./columns";
import { Logs } from "./Logs";
import { RetryTimeline } from "./RetryTimeline";
import { StackTrace } from "./StackTrace";

interface BatchDetailProps {
  row: BatchRow;
  rowIndex: number;
  onRetry?: ((index: number) => void) | undefined;
  onHeight: (index: number, height: number) => void;
}

/** A row of its own, one level down, under the batch's. */
export function BatchDetail({ row, rowIndex, onRetry, onHeight }: BatchDetailProps) {
  const { index } = row;
  const element = useReportedHeight(index, onHeight);
  return (
    <div
      aria-level={2}
      aria-rowindex={rowIndex}
      className={styles.detail}
      data-detail-of={index}
      ref={element}
      role="row"
      tabIndex={-1}
    >
      <div aria-colspan={columns.length + 1} className={styles.cell} role="gridcell">
        <Content onRetry={onRetry} row={row} />
      </div>
    </div>
  );
}

type Retry = BatchDetailProps["onRetry"];

function Content({ row, onRetry }: { row: BatchRow; onRetry: Retry }) {
  const run = useRunStore().run();
  const { data, error, refetch } = useQuery({
    ...batchQuery(run?.etl_run_id ?? "", row.index, row.revision),
    enabled: run !== null,
  });
  if (data) return <Sections batch={data} onRetry={onRetry} />;
  if (!error) return <Skeleton lines={4} />;
  return (
    <div className={styles.failure}>
      <p>What is recorded of this batch could not be read. {error.message}</p>
      <Button icon="refresh" isSmall onPress={() => void refetch()}>
        Try again
      </Button>
    </div>
  );
}

function Sections({ batch, onRetry }: { batch: Batch; onRetry: Retry }) {
  const isFailed = batch.status === "failed";
  return (
    <div className={styles.sections}>
      {batch.error_message !== null && (
        <Section
          action={
            isFailed &&
            onRetry && (
              <Button icon="refresh" isSmall onPress={() => onRetry(batch.index)}>
                Retry this batch
              </Button>
            )
          }
          title={batch.error_is_permanent ? "Error, which a retry alone will not mend" : "Error"}
        >
          <Expandable isMono limit={600} text={[batch.error_code, batch.error_message].filter(Boolean).join("  ")} />
          {batch.error_stack !== null && <StackTrace text={batch.error_stack} />}
        </Section>
      )}
      {batch.retry_timeline.length > 0 && (
        <Section title="Retries">
          <RetryTimeline entries={batch.retry_timeline} />
        </Section>
      )}
      {batch.examples.length > 0 && (
        <Section title={`Invalid rows: the first ${count(batch.examples.length)}`}>
          <ExampleList examples={batch.examples} />
        </Section>
      )}
      <Section title="Log">
        <Logs entries={batch.logs_fragment} />
      </Section>
      <Section title="Where it is from">
        <Source batch={batch} />
      </Section>
    </div>
  );
}

function Section({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.section}>
      <header className={styles.heading}>
        <h3>{title}</h3>
        {action}
      </header>
      {children}
    </section>
  );
}

function Source({ batch }: { batch: Batch }) {
  const position = Object.entries(batch.source_position);
  return (
    <dl className={styles.source}>
      <div>
        <dt>First row</dt>
        <dd>{count(batch.first_ordinal)}</dd>
      </div>
      {position.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <code>{typeof value === "string" ? value : JSON.stringify(value)}</code>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function useReportedHeight(index: number, onHeight: (index: number, height: number) => void) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const detail = element.current;
    if (!detail) return;
    const report = () => onHeight(index, detail.offsetHeight);
    report();
    const observer = new ResizeObserver(report);
    observer.observe(detail);
    return () => observer.disconnect();
  }, [index, onHeight]);
  return element;
}
