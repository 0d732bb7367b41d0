import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { batch, change, metrics, run } from "~/test/samples";
import { RunStore } from "./run-store";

let store: RunStore;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["requestAnimationFrame", "cancelAnimationFrame", "setTimeout", "clearTimeout"] });
  store = new RunStore();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("of two states", () => {
  it("the larger revision stays, however they come", () => {
    store.offer(run({ revision: 5, status: "loading" }), [batch(0, { revision: 3, status: "succeeded" })]);
    store.flush();
    store.offer(run({ revision: 4, status: "queued" }), [batch(0, { revision: 2, status: "running" })]);
    store.flush();
    expect(store.run()?.status).toBe("loading");
    expect(store.row(0)?.status).toBe("succeeded");
  });

  it("so it does when both come within one frame", () => {
    store.offer(run({ revision: 5, status: "loading" }), [batch(0, { revision: 3, status: "succeeded" })]);
    store.offer(run({ revision: 4, status: "queued" }), [batch(0, { revision: 2, status: "running" })]);
    store.flush();
    expect(store.run()?.status).toBe("loading");
    expect(store.row(0)?.status).toBe("succeeded");
  });

  it("of a run with the same revision the later change's stays: metrics grow with its batches", () => {
    const seconds = (elapsed_seconds: number) => run({ metrics: metrics({ elapsed_seconds }) });
    store.offer(seconds(2), [], "5f-90:100:");
    store.flush();
    store.offer(seconds(1), [], "5f-90:99:");
    store.flush();
    expect(store.run()?.metrics.elapsed_seconds).toBe(2);
    store.offer(seconds(3), [], "5f-90:100:");
    store.flush();
    expect(store.run()?.metrics.elapsed_seconds).toBe(3);
  });
});

describe("after the database was away", () => {
  const told = (id: string, revision: number, indexes: number[], is_complete: boolean) =>
    change(id, { run: run({ revision }), batches: indexes.map((index) => batch(index, { revision })), is_complete });

  beforeEach(() => {
    store.take(told("70", 9, [0, 1, 2], false));
    store.flush();
  });

  it("what it tells counts, though its revisions are smaller", () => {
    store.take(told("60", 8, [0, 1, 2], true));
    store.flush();
    expect(store.run()?.revision).toBe(8);
    expect([0, 1, 2].map((index) => store.row(index)?.revision)).toEqual([8, 8, 8]);
  });

  it("what it has forgotten goes, once all of it is told", () => {
    store.take(told("0", 8, [0], true));
    store.flush();
    expect(store.size).toBe(3);
    store.take(told("60", 8, [1], false));
    store.flush();
    expect(store.size).toBe(2);
    expect(store.row(2)).toBeUndefined();
    expect(store.statuses().succeeded).toBe(2);
  });

  it("older states of what was told anew are none again", () => {
    store.take(told("60", 8, [0, 1, 2], true));
    store.take(told("61", 7, [0], false));
    store.flush();
    expect(store.row(0)?.revision).toBe(8);
  });
});

describe("what came in", () => {
  it("is applied at once on the next frame, and tells only rows that changed", () => {
    store.offer(run(), [batch(0), batch(1)]);
    store.flush();
    const told: number[] = [];
    const table = vi.fn();
    store.subscribeRow(0, () => told.push(0));
    store.subscribeRow(1, () => told.push(1));
    store.subscribeTable(table);
    for (let revision = 2; revision < 50; revision += 1) store.offer(null, [batch(1, { revision })]);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(20);
    expect(told).toEqual([1]);
    expect(table).toHaveBeenCalledTimes(1);
    expect(store.row(1)?.revision).toBe(49);
  });

  it("does not wait for frames in a hidden tab, which has none", () => {
    vi.stubGlobal("requestAnimationFrame", () => 0);
    store.offer(run(), [batch(0)]);
    vi.advanceTimersByTime(600);
    expect(store.size).toBe(1);
    vi.unstubAllGlobals();
  });

  it("tells nobody where nothing is new", () => {
    store.offer(null, [batch(0, { revision: 2 })]);
    store.flush();
    const told = vi.fn();
    store.subscribeRow(0, told);
    store.subscribeTable(told);
    store.offer(null, [batch(0, { revision: 2 })]);
    store.flush();
    expect(told).not.toHaveBeenCalled();
  });

  it("tells nobody who has left", () => {
    const told = vi.fn();
    store.subscribeRow(0, told)();
    store.offer(null, [batch(0)]);
    store.flush();
    expect(told).not.toHaveBeenCalled();
  });
});

it("counts the states of its batches", () => {
  store.offer(null, [batch(0, { status: "running" }), batch(1, { status: "running" }), batch(2)]);
  store.flush();
  const before = store.statuses();
  expect(before).toMatchObject({ running: 2, succeeded: 1, failed: 0 });
  store.offer(null, [batch(0, { revision: 2, status: "failed" })]);
  store.flush();
  expect(store.statuses()).toMatchObject({ running: 1, succeeded: 1, failed: 1 });
  expect(store.statuses()).not.toBe(before);
});
