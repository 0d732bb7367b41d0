import type { BatchRow, BatchStatus, Change, Run } from "~/api/types";
import { FrameBatch } from "./frames";

type Listener = () => void;

/**
 * A run and its batches outside of React. What comes in waits for the next frame, where all of it is applied at once;
 * then only the rows that changed tell those who show them. Of two states the one with the larger revision stays.
 */
export class RunStore {
  #run: Run | null = null;
  #runId = "";
  readonly #rows = new Map<number, BatchRow>();
  #statuses = noStatuses();
  #version = 0;
  #isComplete = false;

  /** Told before the database was away, and not told again since: whatever comes of these is newer. */
  readonly #doubted = new Set<number>();
  #isRunDoubted = false;

  #nextRun: Arrival | null = null;
  readonly #nextRows = new Map<number, BatchRow>();
  readonly #frames = new FrameBatch(() => this.flush());

  readonly #runListeners = new Set<Listener>();
  readonly #tableListeners = new Set<Listener>();
  readonly #rowListeners = new Map<number, Set<Listener>>();

  take(change: Change): void {
    if (change.is_complete) this.#doubtAll();
    this.offer(change.run, change.batches, change.id);
    if (change.id !== UNFINISHED) this.#dropDoubted();
  }

  /** `id`: the change's, which tells the newer of two states with one revision (the metrics of a run's batches). */
  offer(run: Run | null, batches: readonly BatchRow[], id = ""): void {
    if (run && !(this.#nextRun && isOlder(run, id, this.#nextRun.run, this.#nextRun.id))) this.#nextRun = { run, id };
    for (const row of batches) {
      const waiting = this.#nextRows.get(row.index);
      if (!waiting || waiting.revision < row.revision) this.#nextRows.set(row.index, row);
    }
    this.#frames.request();
  }

  /** Applies what waits, now. */
  flush(): void {
    this.#frames.cancel();
    const hasNewRun = this.#takeRun();
    const changed = this.#takeRows();
    if (changed.length > 0) this.#tellTable(changed);
    if (hasNewRun) tell(this.#runListeners);
  }

  /** All batches that stood when the page was opened have come. */
  complete(): void {
    if (this.#isComplete) return;
    this.flush();
    this.#isComplete = true;
    tell(this.#tableListeners);
  }

  stop(): void {
    this.#frames.cancel();
  }

  get size(): number {
    return this.#rows.size;
  }

  rows(): IterableIterator<BatchRow> {
    return this.#rows.values();
  }

  readonly run = (): Run | null => this.#run;
  readonly row = (index: number): BatchRow | undefined => this.#rows.get(index);
  /** Grows with each change of any batch. */
  readonly version = (): number => this.#version;
  readonly isComplete = (): boolean => this.#isComplete;
  /** How many batches are in each state; a new object after each change. */
  readonly statuses = (): Readonly<Record<BatchStatus, number>> => this.#statuses;

  readonly subscribeRun = (listener: Listener): (() => void) => subscribe(this.#runListeners, listener);
  readonly subscribeTable = (listener: Listener): (() => void) => subscribe(this.#tableListeners, listener);

  subscribeRow(index: number, listener: Listener): () => void {
    const listeners = this.#rowListeners.get(index) ?? new Set<Listener>();
    this.#rowListeners.set(index, listeners);
    const leave = subscribe(listeners, listener);
    return () => {
      leave();
      if (listeners.size === 0 && this.#rowListeners.get(index) === listeners) this.#rowListeners.delete(index);
    };
  }

  #takeRun(): boolean {
    const next = this.#nextRun;
    this.#nextRun = null;
    if (!next) return false;
    if (this.#run && !this.#isRunDoubted && isOlder(next.run, next.id, this.#run, this.#runId)) return false;
    this.#run = next.run;
    this.#runId = next.id;
    this.#isRunDoubted = false;
    return true;
  }

  #takeRows(): number[] {
    const changed: number[] = [];
    for (const [index, row] of this.#nextRows) {
      const known = this.#rows.get(index);
      if (known && known.revision >= row.revision && !this.#doubted.has(index)) continue;
      if (known) this.#statuses[known.status] -= 1;
      this.#statuses[row.status] += 1;
      this.#rows.set(index, row);
      this.#doubted.delete(index);
      changed.push(index);
    }
    this.#nextRows.clear();
    return changed;
  }

  /** What is on the screen stays there until it is told anew: nobody loses the place that he reads. */
  #doubtAll(): void {
    this.flush();
    this.#isRunDoubted = true;
    for (const index of this.#rows.keys()) this.#doubted.add(index);
  }

  #dropDoubted(): void {
    if (this.#doubted.size === 0) return;
    this.flush();
    const dropped = [...this.#doubted];
    this.#doubted.clear();
    if (dropped.length === 0) return;
    for (const index of dropped) {
      const row = this.#rows.get(index);
      if (row) this.#statuses[row.status] -= 1;
      this.#rows.delete(index);
    }
    this.#tellTable(dropped);
  }

  #tellTable(changed: readonly number[]): void {
    this.#version += 1;
    this.#statuses = { ...this.#statuses };
    for (const index of changed) tell(this.#rowListeners.get(index));
    tell(this.#tableListeners);
  }
}

/** The id of a change that others follow, with the rest of what belongs to it. */
const UNFINISHED = "0";

type Arrival = { readonly run: Run; readonly id: string };

function isOlder(run: Run, id: string, than: Run, thanId: string): boolean {
  if (run.revision !== than.revision) return run.revision < than.revision;
  const [here, there] = [SNAPSHOT.exec(id), SNAPSHOT.exec(thanId)];
  return here?.[1] === there?.[1] && BigInt(here?.[2] ?? 0) < BigInt(there?.[2] ?? 0);
}

/** An incarnation of the database, and the transaction that was next in it. */
const SNAPSHOT = /^([0-9a-f]+)-\d+:(\d+):/;

function noStatuses(): Record<BatchStatus, number> {
  return { pending: 0, running: 0, retried: 0, succeeded: 0, failed: 0 };
}

function subscribe(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function tell(listeners: Set<Listener> | undefined): void {
  if (listeners) for (const listener of [...listeners]) listener();
}
