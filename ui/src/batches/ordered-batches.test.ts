import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RunStore } from "~/live/run-store";
import { batch } from "~/test/samples";
import type { Criteria } from "./order";
import { OrderedBatches } from "./ordered-batches";

const ALL: Criteria = { sort: { column: "index", descending: false }, statuses: [], text: "" };
const SLOWEST: Criteria = { ...ALL, sort: { column: "duration_ms", descending: true } };

let store: RunStore;
beforeEach(() => {
  vi.useFakeTimers();
  store = new RunStore();
  take(batch(0, { duration_ms: 10 }), batch(1, { duration_ms: 20 }));
});
afterEach(() => {
  vi.useRealTimers();
});

function take(...rows: Parameters<RunStore["offer"]>[1]): void {
  store.offer(null, rows);
  store.flush();
}

describe("while updates come", () => {
  it("the order by index stays the very same list", () => {
    const order = new OrderedBatches(store, ALL);
    const told = vi.fn();
    order.subscribe(told);
    const before = order.indexes();
    for (let revision = 2; revision < 100; revision += 1) {
      take(batch(0, { revision, duration_ms: revision }));
      vi.advanceTimersByTime(50);
    }
    expect(order.indexes()).toBe(before);
    expect(told).not.toHaveBeenCalled();
  });

  it("an order that they move is worked out at most once a second", () => {
    const order = new OrderedBatches(store, SLOWEST);
    const told = vi.fn();
    order.subscribe(told);
    expect(order.indexes()).toEqual([1, 0]);
    for (let revision = 2; revision < 102; revision += 1) {
      take(batch(0, { revision, duration_ms: 1000 * revision }));
      vi.advanceTimersByTime(50);
    }
    expect(order.indexes()).toEqual([0, 1]);
    expect(told.mock.calls.length).toBeLessThanOrEqual(5);
  });

  it("new batches appear soon", () => {
    const order = new OrderedBatches(store, ALL);
    order.subscribe(vi.fn());
    take(batch(2));
    vi.advanceTimersByTime(300);
    expect(order.indexes()).toEqual([0, 1, 2]);
  });
});

it("another sort or filter is there at once", () => {
  const order = new OrderedBatches(store, ALL);
  order.subscribe(vi.fn());
  order.setCriteria(SLOWEST);
  expect(order.indexes()).toEqual([1, 0]);
  order.setCriteria({ ...ALL, text: "1" });
  expect(order.indexes()).toEqual([1]);
});

it("what came while nobody looked is there for who comes", () => {
  const order = new OrderedBatches(store, ALL);
  order.subscribe(vi.fn())();
  take(batch(2), batch(3));
  vi.advanceTimersByTime(1000);
  expect(order.indexes()).toEqual([0, 1]);
  order.subscribe(vi.fn());
  expect(order.indexes()).toEqual([0, 1, 2, 3]);
});
