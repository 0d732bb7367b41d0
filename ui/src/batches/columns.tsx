import { createColumnHelper, rowSortingFeature, tableFeatures } from "@tanstack/react-table";
import type { ReactNode } from "react";
import type { BatchRow } from "~/api/types";
import { BatchStatusBadge } from "~/components/StatusBadge";
import { count, milliseconds } from "~/i18n/numbers";
import { localTime, utcTime } from "~/i18n/times";
import styles from "./BatchTable.module.css";

interface ColumnMeta {
  /** From the store's row, so that a row is drawn again when it changes, and only then. */
  readonly render: (row: BatchRow) => ReactNode;
  readonly isNumber?: boolean;
}

export const features = tableFeatures({ rowSortingFeature, columnMeta: {} as ColumnMeta });

const helper = createColumnHelper<typeof features, BatchRow>();

const number = (read: (row: BatchRow) => number): ColumnMeta => ({
  isNumber: true,
  render: (row) => <Count value={read(row)} />,
});

/** Their widths stand in BatchTable.module.css (`--columns`). */
export const columns = helper.columns([
  helper.accessor("index", { header: "Batch", meta: { isNumber: true, render: (row) => count(row.index) } }),
  helper.accessor("attempts", { header: "Attempts", sortDescFirst: true, meta: number((row) => row.attempts) }),
  helper.accessor("rows_attempted", { header: "Rows", sortDescFirst: true, meta: number((row) => row.rows_attempted) }),
  helper.accessor("rows_inserted", {
    header: "Inserted",
    sortDescFirst: true,
    meta: number((row) => row.rows_inserted),
  }),
  helper.accessor("rows_updated", { header: "Updated", sortDescFirst: true, meta: number((row) => row.rows_updated) }),
  helper.accessor("validation_failures", {
    header: "Invalid",
    sortDescFirst: true,
    meta: {
      isNumber: true,
      render: (row) => <Count isWarning value={row.validation_failures} />,
    },
  }),
  helper.accessor("duration_ms", {
    header: "Duration",
    sortDescFirst: true,
    meta: { isNumber: true, render: (row) => milliseconds(row.duration_ms) },
  }),
  helper.accessor("status", {
    header: "Status",
    sortDescFirst: true,
    meta: { render: (row) => <BatchStatusBadge retries={row.retries} status={row.status} /> },
  }),
  helper.accessor("committed_at", {
    header: "Committed",
    sortDescFirst: true,
    meta: { render: (row) => <Committed instant={row.committed_at} /> },
  }),
  helper.accessor("error_message", {
    header: "Error",
    enableSorting: false,
    meta: { render: (row) => <ErrorCell row={row} /> },
  }),
]);

/** Zeros are quiet: what is not zero is what one looks for. */
function Count({ value, isWarning = false }: { value: number; isWarning?: boolean }) {
  const tone = value === 0 ? styles.zero : isWarning ? styles.warning : undefined;
  return <span className={tone}>{count(value)}</span>;
}

/** A plain title instead of a tooltip of ours: forty of those would be mounted with each turn of the wheel. */
function Committed({ instant }: { instant: string | null }) {
  if (instant === null) return <span className={styles.zero}>–</span>;
  return (
    <time dateTime={instant} title={utcTime(instant)}>
      {localTime(instant)}
    </time>
  );
}

function ErrorCell({ row }: { row: BatchRow }) {
  if (row.error_message === null && row.error_code === null) return null;
  return (
    <>
      {row.error_code !== null && <code className={styles.code}>{row.error_code}</code>} {row.error_message}
    </>
  );
}
