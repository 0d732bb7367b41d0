import { BATCH_STATUSES, type BatchRow, type BatchStatus } from "~/api/types";
import type { Sort, SortableColumn } from "~/app/search";

export interface Criteria {
  readonly sort: Sort;
  /** Empty: all. */
  readonly statuses: readonly BatchStatus[];
  readonly text: string;
}

/**
 * Indexes of the batches that are shown, in their order. Batches that are equal stand by their index, and those without
 * a value last, whichever way it is sorted. Keys are taken once and indexes sorted, so that 12,000 are a few
 * milliseconds.
 */
export function orderBatches(rows: Iterable<BatchRow>, { sort, statuses, text }: Criteria): readonly number[] {
  const isShown = filter(statuses, text);
  const keyOf = KEYS[sort.column];
  const direction = sort.descending ? -1 : 1;
  const indexes: number[] = [];
  const keys: number[] = [];
  for (const row of rows) {
    if (!isShown(row)) continue;
    const key = keyOf(row);
    indexes.push(row.index);
    keys.push(key === null ? Number.POSITIVE_INFINITY : key * direction);
  }
  const places = Uint32Array.from(indexes.keys());
  places.sort((one, other) => {
    const a = keys[one] as number;
    const b = keys[other] as number;
    if (a === b) return (indexes[one] as number) - (indexes[other] as number);
    return a < b ? -1 : 1;
  });
  return Array.from(places, (place) => indexes[place] as number);
}

/** True where an update of a batch cannot move it or hide it. */
export function isSettled({ sort, statuses, text }: Criteria): boolean {
  return sort.column === "index" && statuses.length === 0 && text === "";
}

function filter(statuses: readonly BatchStatus[], text: string): (row: BatchRow) => boolean {
  const wanted = new Set(statuses);
  const sought = text.trim().toLowerCase();
  return (row) => (wanted.size === 0 || wanted.has(row.status)) && (sought === "" || contains(row, sought));
}

/** `17` finds batch 17 and 170, and every error that says 17. */
function contains(row: BatchRow, sought: string): boolean {
  return (
    String(row.index).startsWith(sought) ||
    (row.error_code?.toLowerCase().includes(sought) ?? false) ||
    (row.error_message?.toLowerCase().includes(sought) ?? false)
  );
}

const KEYS: Record<SortableColumn, (row: BatchRow) => number | null> = {
  index: (row) => row.index,
  status: (row) => BATCH_STATUSES.indexOf(row.status),
  attempts: (row) => row.attempts,
  rows_attempted: (row) => row.rows_attempted,
  rows_inserted: (row) => row.rows_inserted,
  rows_updated: (row) => row.rows_updated,
  validation_failures: (row) => row.validation_failures,
  duration_ms: (row) => row.duration_ms,
  committed_at: (row) => (row.committed_at ? Date.parse(row.committed_at) : null),
};
