import type { RunStore } from "~/live/run-store";
import { type Criteria, isSettled, orderBatches } from "./order";

/** New batches appear soon; rows that are sorted by what changes do not jump about under the reader. */
const SETTLED_MS = 250;
const MOVING_MS = 1000;

/** The order of the batches that are shown, outside of React; worked out anew at most once in a while. */
export class OrderedBatches {
  readonly #store: RunStore;
  #criteria: Criteria;
  #indexes: readonly number[] = [];
  #orderedVersion = -1;
  #orderedSize = 0;
  #orderedAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();
  #leaveStore: (() => void) | undefined;

  constructor(store: RunStore, criteria: Criteria) {
    this.#store = store;
    this.#criteria = criteria;
    this.#order();
  }

  readonly indexes = (): readonly number[] => this.#indexes;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#leaveStore ??= this.#store.subscribeTable(() => this.#storeChanged());
    this.#storeChanged();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#leaveStore?.();
      this.#leaveStore = undefined;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  };

  setCriteria(criteria: Criteria): void {
    if (criteria === this.#criteria) return;
    this.#criteria = criteria;
    this.#orderAndTell();
  }

  #storeChanged(): void {
    if (this.#timer !== undefined || !this.#isStale()) return;
    const wait = isSettled(this.#criteria) ? SETTLED_MS : MOVING_MS;
    const due = this.#orderedAt + wait - performance.now();
    if (due <= 0) this.#orderAndTell();
    else this.#timer = setTimeout(() => this.#orderAndTell(), due);
  }

  #isStale(): boolean {
    if (isSettled(this.#criteria)) return this.#store.size !== this.#orderedSize;
    return this.#store.version() !== this.#orderedVersion;
  }

  #orderAndTell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#order();
    for (const listener of [...this.#listeners]) listener();
  }

  #order(): void {
    const indexes = orderBatches(this.#store.rows(), this.#criteria);
    this.#orderedVersion = this.#store.version();
    this.#orderedSize = this.#store.size;
    this.#orderedAt = performance.now();
    if (!isSame(indexes, this.#indexes)) this.#indexes = indexes;
  }
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((index, place) => index === other[place]);
}
