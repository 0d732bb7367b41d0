import { describe, expect, it } from "vitest";
import type { Run } from "~/api/types";
import { metrics, request, run as sampleRun } from "~/test/samples";
import { newsOf, seenOf } from "./transitions";

const running = sampleRun({ status: "loading", is_ended: false });
const queued = sampleRun({ status: "queued", is_ended: false });
const titles = (before: Run, after: Run) => newsOf(seenOf(before), after).map(({ title }) => title);

describe("what is told of a run", () => {
  it("is nothing where the page has only just come upon it", () => {
    expect(newsOf(undefined, sampleRun({ status: "failed", is_ended: true }))).toEqual([]);
  });

  it("is nothing where nothing has happened", () => {
    expect(titles(running, running)).toEqual([]);
  });

  it("is that it has started", () => {
    expect(titles(queued, running)).toEqual(["Run started"]);
  });

  it("is that a retry has taken it up again, seen queued or not", () => {
    const resumed = sampleRun({ ...running, resumed_at: "2026-11-27T01:00:00Z" });
    expect(titles(queued, resumed)).toEqual(["Run taken up again"]);
    expect(titles(sampleRun({ status: "failed", is_ended: true }), resumed)).toEqual(["Run taken up again"]);
  });

  it("is that the database had a passing error", () => {
    const retried = sampleRun({ ...running, metrics: { ...running.metrics, retries: running.metrics.retries + 2 } });
    expect(newsOf(seenOf(running), retried)).toMatchObject([
      { tone: "warning", title: "Transient database error (will retry)" },
    ]);
  });

  it.each([
    ["success", "success", "Run completed"],
    ["partial_success", "warning", "Run completed in part"],
    ["failed", "danger", "Run failed"],
    ["canceled", "neutral", "Run canceled"],
  ] as const)("is its end: %s", (status, tone, title) => {
    const ended = sampleRun({ status, is_ended: true });
    expect(newsOf(seenOf(running), ended)).toMatchObject([{ tone, title }]);
  });

  it("is how a retry ended that nobody saw begin", () => {
    const partial = sampleRun({ status: "partial_success", is_ended: true });
    const mended = sampleRun({ status: "success", is_ended: true });
    expect(titles(partial, mended)).toEqual(["Run completed"]);
    expect(titles(mended, mended)).toEqual([]);
  });

  it("is the number of errors of the run, in the place of what was told of them before", () => {
    const [first, second] = [2, 5].map((retries) => sampleRun({ ...running, metrics: metrics({ retries }) }));
    if (!first || !second) throw new Error("two runs were made");
    const news = [...newsOf(seenOf(running), first), ...newsOf(seenOf(first), second)];
    expect(new Set(news.map(({ topic }) => topic)).size).toBe(1);
    expect(news[1]?.description).toMatch(/^5 batch attempts/);
  });

  it("is one topic from its start to its end", () => {
    const ended = sampleRun({ status: "success", is_ended: true });
    const news = [...newsOf(seenOf(queued), running), ...newsOf(seenOf(running), ended)];
    expect(news.map(({ topic }) => topic)).toEqual(["state of run-1", "state of run-1"]);
  });
});

const partial = { status: "partial_success", is_ended: true, resumed_at: null } as const;
const toBeRetried = sampleRun({ status: "queued", is_ended: false, last_request: request() });

describe("what is told of a retry that comes to nothing", () => {
  it.each([
    ["refused", "danger", "Retry refused"],
    ["withdrawn", "neutral", "Retry withdrawn"],
  ] as const)("is that it was %s, not that the run has completed", (status, tone, title) => {
    const refusal = "the table stg_guests is missing";
    const after = sampleRun({ ...partial, last_request: request({ status, refusal }) });
    expect(newsOf(seenOf(toBeRetried), after)).toMatchObject([
      { tone, title, description: "The table stg_guests is missing." },
    ]);
    expect(newsOf(seenOf(after), after)).toEqual([]);
  });

  it("is told in other tabs, which have not seen it in the queue", () => {
    const before = sampleRun({ ...partial, last_request: request({ id: 1, status: "refused" }) });
    const after = sampleRun({ ...partial, last_request: request({ id: 2, status: "refused" }) });
    expect(titles(before, after)).toEqual(["Retry refused"]);
  });

  it("is over once the run was taken up by others", () => {
    const last_request = request({ status: "refused", at: "2026-11-27T00:05:00Z" });
    const resumed_at = "2026-11-27T00:06:00Z";
    const again = sampleRun({ ...running, resumed_at, last_request });
    const ended = sampleRun({ ...partial, resumed_at, last_request });
    expect(titles(again, ended)).toEqual(["Run completed in part"]);
  });

  it("does not hide that a queued load failed, whose refusal is the run's failure", () => {
    const after = sampleRun({
      status: "failed",
      is_ended: true,
      last_request: request({ action: "load", status: "refused" }),
    });
    expect(titles(queued, after)).toEqual(["Run failed"]);
  });
});
