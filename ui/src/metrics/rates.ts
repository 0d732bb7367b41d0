import type { BatchRow } from "~/api/types";

export interface Rates {
  /** Middles of the spans, in seconds since 1970. */
  readonly seconds: readonly number[];
  readonly rowsPerSecond: readonly number[];
  readonly average: number;
  readonly highest: number;
  readonly latest: number;
}

type Timed = Pick<BatchRow, "started_at" | "committed_at" | "rows_inserted" | "rows_updated" | "rows_unchanged">;

/**
 * Rows stored a second from `from` to `to` (milliseconds since 1970) or the latest commit, if that is later, in spans of
 * the same length. The rows of a batch are spread over the time that it took: a large batch is no spike at its commit.
 * Null while nothing is stored.
 */
export function ratesOf(batches: Iterable<Timed>, from: number, to: number, spans = 60): Rates | null {
  const stored = [...batches].flatMap((batch) => storedSince(from, batch) ?? []);
  const until = stored.reduce((latest, { end }) => Math.max(latest, end), to);
  const length = (until - from) / spans;
  const total = stored.reduce((sum, { count }) => sum + count, 0);
  if (!(length > 0) || total === 0) return null;
  const rows = new Float64Array(spans);
  for (const { start, end, count } of stored) spread(rows, count, (start - from) / length, (end - from) / length);
  const rowsPerSecond = Array.from(rows, (count) => (count * 1000) / length);
  return {
    seconds: rowsPerSecond.map((_, span) => (from + (span + 0.5) * length) / 1000),
    rowsPerSecond,
    average: (total * 1000) / (until - from),
    highest: Math.max(...rowsPerSecond),
    latest: rowsPerSecond.at(-1) ?? 0,
  };
}

interface Stored {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

function storedSince(from: number, batch: Timed): Stored | null {
  if (batch.committed_at === null) return null;
  const end = Date.parse(batch.committed_at);
  if (end < from) return null;
  const began = batch.started_at === null ? end : Date.parse(batch.started_at);
  const count = batch.rows_inserted + batch.rows_updated + batch.rows_unchanged;
  return { start: Math.max(from, Math.min(end, began)), end, count };
}

/** `start` and `end` in spans. */
function spread(rows: Float64Array, count: number, start: number, end: number): void {
  const first = Math.min(rows.length - 1, Math.floor(start));
  const last = Math.min(rows.length - 1, Math.floor(end));
  if (first === last) {
    rows[first] = (rows[first] ?? 0) + count;
    return;
  }
  for (let span = first; span <= last; span += 1) {
    const share = (Math.min(end, span + 1) - Math.max(start, span)) / (end - start);
    rows[span] = (rows[span] ?? 0) + count * Math.max(0, share);
  }
}
