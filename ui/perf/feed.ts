import type { BatchPage, BatchRow, Change, Run } from "~/api/types";
import type { EventStream, RunApi } from "~/live/ports";
import * as samples from "~/test/samples";

export const BATCHES = 12_000;
const UPDATES_A_SECOND = 200;
const EVERY_MS = 50;

/** A run of 12,000 batches of which 200 change each second, told as the API tells it: as JSON, by events and pages. */
export class Feed implements RunApi {
  readonly #rows: BatchRow[] = Array.from({ length: BATCHES }, (_, index) => pending(index));
  #id = 1000;
  #next = 0;
  #stream: FeedStream | null = null;
  sent = 0;

  openEvents(): EventStream {
    const stream = new FeedStream();
    this.#stream = stream;
    queueMicrotask(() => this.#tell([]));
    return stream;
  }

  fetchChange(): Promise<Change> {
    return Promise.reject(new Error("events arrive: nobody has to ask"));
  }

  async fetchPage(after: number | null, limit: number): Promise<BatchPage> {
    const batches = this.#rows.slice((after ?? -1) + 1, (after ?? -1) + 1 + limit);
    const last = (batches.at(-1) as BatchRow).index;
    return JSON.parse(JSON.stringify({ batches, next_after: last === BATCHES - 1 ? null : last })) as BatchPage;
  }

  /** Updates until it is told to stop. */
  begin(): () => void {
    const began = performance.now();
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) * UPDATES_A_SECOND) / 1000) - this.sent;
      this.#tell(Array.from({ length: due }, () => this.#step()));
      this.sent += due;
    }, EVERY_MS);
    return () => clearInterval(timer);
  }

  /** One in three updates is of a batch in sight; the others are spread over all. */
  #step(): BatchRow {
    this.#next += 1;
    const index = this.#next % 3 === 0 ? this.#next % 30 : (this.#next * 7919) % BATCHES;
    const row = after(this.#rows[index] as BatchRow);
    this.#rows[index] = row;
    return row;
  }

  #tell(batches: readonly BatchRow[]): void {
    this.#id += 1;
    this.#stream?.send("ping", {});
    this.#stream?.send("change", {
      id: String(this.#id),
      run: this.#run(),
      batches,
      is_last: false,
      is_complete: false,
    });
  }

  #run(): Run {
    const metrics = samples.metrics({
      batches_total: BATCHES,
      is_batches_total_final: true,
      batches_succeeded: this.sent,
      rows_inserted: this.sent * 900,
      elapsed_seconds: this.sent / UPDATES_A_SECOND,
      throughput_rps: 180_000,
      batch_duration_ms_avg: 480,
      batch_duration_ms_p95: 910,
    });
    return samples.run({ revision: this.#id, started_at: new Date(Date.now() - 60_000).toISOString(), metrics });
  }
}

function pending(index: number): BatchRow {
  const done = { rows_inserted: 0, rows_updated: 0, rows_unchanged: 0, duration_ms: null, committed_at: null };
  return samples.batch(index, { ...done, status: "pending", attempts: 0, started_at: null });
}

const LIFE = ["pending", "running", "failed", "retried", "succeeded"] as const;

function after(row: BatchRow): BatchRow {
  const status = LIFE[(LIFE.indexOf(row.status) + 1) % LIFE.length] ?? "pending";
  const isFailed = status === "failed";
  return {
    ...row,
    revision: row.revision + 1,
    status,
    attempts: row.attempts + 1,
    rows_inserted: status === "succeeded" ? 900 : 0,
    duration_ms: 200 + ((row.revision * 37) % 900),
    started_at: new Date(Date.now() - 900).toISOString(),
    committed_at: status === "succeeded" ? new Date().toISOString() : null,
    error_code: isFailed ? "40001" : null,
    error_message: isFailed ? `could not serialize access due to concurrent update of row ${row.index}` : null,
    error_is_permanent: isFailed ? false : null,
  };
}

class FeedStream implements EventStream {
  readyState = 1;
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, listener);
  }

  send(type: string, data: object): void {
    const lastEventId = "id" in data ? String(data.id) : "";
    this.#listeners.get(type)?.(new MessageEvent<string>(type, { data: JSON.stringify(data), lastEventId }));
  }

  close(): void {
    this.readyState = 2;
  }
}
