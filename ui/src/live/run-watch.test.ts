import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BatchPage, BatchRow, Change } from "~/api/types";
import { batch, change, metrics, run } from "~/test/samples";
import { TestStream } from "~/test/stream";
import { PATIENCE } from "./channel";
import { RunWatch } from "./run-watch";

const TOTAL = 7000;
let rows: BatchRow[];
let streams: TestStream[];
let pages: (number | null)[];
let failures: number;
let reply: () => Promise<Change>;
let watch: RunWatch;
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  rows = Array.from({ length: TOTAL }, (_, index) => batch(index));
  streams = [];
  pages = [];
  failures = 0;
  reply = () => Promise.reject(new TypeError("fetch failed"));
  watch = new RunWatch({
    openEvents: (lastId) => {
      streams.push(new TestStream(lastId));
      return streams.at(-1) as TestStream;
    },
    fetchChange: () => reply(),
    fetchPage: (after, limit) => page(after, limit),
  });
  stop = watch.start();
});

afterEach(() => {
  stop();
  vi.useRealTimers();
});

async function page(after: number | null, limit: number): Promise<BatchPage> {
  pages.push(after);
  if (failures > 0) {
    failures -= 1;
    throw new TypeError("fetch failed");
  }
  const batches = rows.filter(({ index }) => index > (after ?? -1)).slice(0, limit);
  const last = batches.at(-1)?.index ?? 0;
  return { batches, next_after: last === rows.length - 1 ? null : last };
}

const watched = () => run({ metrics: metrics({ batches_total: TOTAL }) });
const settle = () => vi.advanceTimersByTimeAsync(50);
const stream = () => streams.at(-1) as TestStream;

describe("the batches of a run", () => {
  it("are loaded page by page as of the first event, a small page first", async () => {
    expect(pages).toEqual([]);
    stream().send("change", change("7", { run: watched() }), "7");
    await settle();
    expect(pages).toEqual([null, 999, 5999]);
    expect(watch.store.size).toBe(TOTAL);
    expect(watch.store.isComplete()).toBe(true);
  });

  it("are not set back by a page that was read before an event", async () => {
    stream().send("change", change("7", { run: watched() }), "7");
    stream().send(
      "change",
      change("8", { run: watched(), batches: [batch(3, { revision: 9, status: "failed" })] }),
      "8",
    );
    await settle();
    expect(watch.store.row(3)?.status).toBe("failed");
  });

  it("are asked for again when a page does not come", async () => {
    failures = 1;
    stream().send("change", change("7", { run: watched() }), "7");
    await settle();
    expect(watch.store.isComplete()).toBe(false);
    await vi.advanceTimersByTimeAsync(2500);
    expect(watch.store.size).toBe(TOTAL);
  });

  it("come with the first answer, where no event does", async () => {
    reply = () => Promise.resolve(change("7", { run: watched(), batches: rows, is_complete: true }));
    await vi.advanceTimersByTimeAsync(PATIENCE.firstEventMs + 50);
    expect(pages).toEqual([]);
    expect(watch.store.size).toBe(TOTAL);
    expect(watch.store.isComplete()).toBe(true);
  });

  it("are counted after the end, and loaded once more where one is missing", async () => {
    stream().send("change", change("7", { run: watched() }), "7");
    await settle();
    rows.push(batch(TOTAL));
    const last = run({ is_ended: true, revision: 2, metrics: metrics({ batches_total: TOTAL + 1 }) });
    reply = () => Promise.resolve(change("8", { run: last, is_last: true }));
    stream().send("end", {});
    await settle();
    expect(watch.store.size).toBe(TOTAL + 1);
    const asked = pages.length;
    await vi.advanceTimersByTimeAsync(PATIENCE.glanceMs * 3);
    expect(pages).toHaveLength(asked);
  });
});
