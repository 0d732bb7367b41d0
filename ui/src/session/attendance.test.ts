import { afterEach, expect, it, vi } from "vitest";
import { answer, client } from "~/api/client";
import { noticeAttendance } from "./attendance";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("says of its own requests that nobody is there, a minute after the last sign of anybody", async () => {
  vi.useFakeTimers();
  const told: boolean[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    told.push(request.headers.has("X-Unattended"));
    return Response.json({});
  });
  const somebody = new EventTarget();
  noticeAttendance(somebody);
  const ask = () => answer(client.GET("/api/session"));

  somebody.dispatchEvent(new Event("wheel"));
  await ask();
  vi.advanceTimersByTime(59_000);
  await ask();
  vi.advanceTimersByTime(2_000);
  await ask();
  somebody.dispatchEvent(new Event("keydown"));
  await ask();
  expect(told).toEqual([false, false, true, false]);
});
