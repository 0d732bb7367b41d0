// @vitest-environment node
import { describe, expect, it } from "vitest";
import { batch } from "~/test/samples";
import { type Criteria, isSettled, orderBatches } from "./order";

const ALL: Criteria = { sort: { column: "index", descending: false }, statuses: [], text: "" };

describe("the order of batches", () => {
  it("is their own, whatever order they came in", () => {
    expect(orderBatches([batch(2), batch(0), batch(1)], ALL)).toEqual([0, 1, 2]);
  });

  it("keeps equal ones by index, and those without a value last, both ways", () => {
    const rows = [
      batch(0, { duration_ms: null }),
      batch(3, { duration_ms: 20 }),
      batch(2, { duration_ms: 20 }),
      batch(1, { duration_ms: 90 }),
    ];
    const by = (descending: boolean) => orderBatches(rows, { ...ALL, sort: { column: "duration_ms", descending } });
    expect(by(false)).toEqual([2, 3, 1, 0]);
    expect(by(true)).toEqual([1, 2, 3, 0]);
  });

  it("of states is their order of life", () => {
    const rows = [
      batch(0, { status: "failed" }),
      batch(1, { status: "pending" }),
      batch(2, { status: "succeeded" }),
      batch(3, { status: "running" }),
    ];
    expect(orderBatches(rows, { ...ALL, sort: { column: "status", descending: false } })).toEqual([1, 3, 2, 0]);
  });

  it("of commits is that of instants, not of their text", () => {
    const rows = [
      batch(0, { committed_at: "2026-11-27T00:00:03Z" }),
      batch(1, { committed_at: "2026-11-27T00:00:03.000001Z" }),
      batch(2, { committed_at: "2026-11-27T01:00:02+01:00" }),
    ];
    expect(orderBatches(rows, { ...ALL, sort: { column: "committed_at", descending: false } })).toEqual([2, 0, 1]);
  });
});

describe("the filter", () => {
  const rows = [
    batch(1, { status: "failed", error_code: "40001", error_message: "could not serialize access" }),
    batch(17, { status: "failed", error_code: "23505", error_message: "Duplicate key, row 17" }),
    batch(170),
    batch(40, { status: "running" }),
  ];
  const shown = (changes: Partial<Criteria>) => orderBatches(rows, { ...ALL, ...changes });

  it("shows the states that are chosen", () => {
    expect(shown({ statuses: ["failed"] })).toEqual([1, 17]);
    expect(shown({ statuses: ["failed", "running"] })).toEqual([1, 17, 40]);
  });

  it("finds text in number, error code and message, in any case", () => {
    expect(shown({ text: "17" })).toEqual([17, 170]);
    expect(shown({ text: " duplicate KEY" })).toEqual([17]);
    expect(shown({ text: "40" })).toEqual([1, 40]);
    expect(shown({ text: "nowhere" })).toEqual([]);
  });

  it("and states hold together", () => {
    expect(shown({ text: "4", statuses: ["running"] })).toEqual([40]);
  });
});

it("only the order by index without a filter is not moved by updates", () => {
  expect(isSettled(ALL)).toBe(true);
  expect(isSettled({ ...ALL, text: "x" })).toBe(false);
  expect(isSettled({ ...ALL, statuses: ["failed"] })).toBe(false);
  expect(isSettled({ ...ALL, sort: { column: "duration_ms", descending: false } })).toBe(false);
});
