import { afterEach, beforeEach, expect, it, vi } from "vitest";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  vi.resetModules();
});
afterEach(() => vi.useRealTimers());

it("says failures at once, and everything else at most every five seconds", async () => {
  const { announce, currentlySpoken } = await import("./announcements");
  announce("one");
  vi.advanceTimersByTime(0);
  expect(currentlySpoken().polite).toBe("one");
  announce("two");
  announce("three");
  vi.advanceTimersByTime(4999);
  expect(currentlySpoken().polite).toBe("one");
  announce("it failed", "assertive");
  expect(currentlySpoken().assertive).toBe("it failed");
  vi.advanceTimersByTime(1);
  expect(currentlySpoken().polite).toBe("two. three");
});

it("says the same words again", async () => {
  const { announce, currentlySpoken } = await import("./announcements");
  announce("it failed", "assertive");
  const first = currentlySpoken().assertive;
  announce("it failed", "assertive");
  expect(currentlySpoken().assertive).not.toBe(first);
});
