import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useRunNews } from "~/run/useRunNews";
import { metrics, run } from "~/test/samples";
import * as announcements from "./announcements";
import { Toasts } from "./Toasts";
import { toast } from "./toasts";

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  vi.spyOn(announcements, "announce");
});
afterEach(() => vi.useRealTimers());

const shown = () => screen.queryAllByRole("alertdialog").map((each) => each.textContent);
const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

function Watched({ shown }: { shown: ReturnType<typeof run> }) {
  useRunNews(shown);
  return <Toasts />;
}

const failing = (retries: number, changes = {}) => (
  <Watched shown={run({ metrics: metrics({ retries }), ...changes })} />
);

it("an outage of the database is one toast whose number grows, said once, and gone when the run ends", async () => {
  const { rerender } = render(failing(0));
  for (const retries of [1, 4, 9, 16]) {
    rerender(failing(retries));
    await pass(1000);
  }
  expect(shown()).toEqual([expect.stringMatching(/Transient database error.*16 batch attempts/)]);
  expect(announcements.announce).toHaveBeenCalledOnce();
  rerender(failing(16, { status: "success", is_ended: true }));
  await pass(0);
  expect(shown()).toEqual([expect.stringContaining("Run completed")]);
});

it("a toast whose words have changed stays as long as a new one", async () => {
  render(<Toasts />);
  act(() => toast({ topic: "a", tone: "info", title: "First" }));
  await pass(5000);
  act(() => toast({ topic: "a", tone: "info", title: "Second" }));
  await pass(5000);
  expect(shown()).toEqual(["Second"]);
  await pass(2000);
  expect(shown()).toEqual([]);
});

it("a failure takes the place of what was told before, and stays until it is closed", async () => {
  render(<Toasts />);
  act(() => toast({ topic: "b", tone: "info", title: "Run started" }));
  act(() => toast({ topic: "b", tone: "danger", title: "Run failed" }));
  await pass(20_000);
  expect(shown()).toEqual(["Run failed"]);
  act(() => toast({ topic: "b", tone: "info", title: "Run taken up again" }));
  expect(shown()).toEqual(["Run taken up again"]);
  await pass(7000);
  expect(shown()).toEqual([]);
});

it("what has no topic stands beside the others", async () => {
  render(<Toasts />);
  act(() => toast({ tone: "danger", title: "One" }));
  act(() => toast({ tone: "danger", title: "One" }));
  expect(shown()).toEqual(["One", "One"]);
  const user = userEvent.setup({ advanceTimers: vi.advanceTimersByTime });
  for (const close of screen.getAllByRole("button", { name: "Close" })) await user.click(close);
  expect(shown()).toEqual([]);
});
