import { describe, expect, it } from "vitest";
import type { Run } from "~/api/types";
import { run as sampleRun } from "~/test/samples";
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
});
