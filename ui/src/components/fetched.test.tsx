import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Suspense } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fetched, fetchRoom, PageUpdated } from "./fetched";
import { ProblemState } from "./ProblemState";

const missing = () => Promise.reject(new TypeError("Failed to fetch dynamically imported module: /assets/a.js"));
const Room = () => <p>the room</p>;

let reload: ReturnType<typeof vi.fn>;
let serves: () => Promise<Response>;

beforeEach(() => {
  sessionStorage.clear();
  document.head.innerHTML = '<script type="module" src="/assets/first-1.js"></script>';
  reload = vi.fn();
  vi.stubGlobal("location", Object.assign(new URL("http://localhost:3000/etl/data-loader"), { reload }));
  serves = async () => new Response();
  vi.stubGlobal("fetch", () => serves());
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Lets everything that is ready happen. */
const settle = () => vi.advanceTimersByTimeAsync(0);

it("a part that the server no longer has loads the page again, and nothing breaks while it does", async () => {
  const Part = fetched<object>(missing);
  render(
    <Suspense fallback="soon">
      <Part />
    </Suspense>,
  );
  await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
  expect(screen.getByText("soon")).toBeVisible();
});

it("once for each build: then it is said, with a way out", async () => {
  void fetchRoom(missing);
  await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
  const failure = await fetchRoom(missing).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PageUpdated);
  expect(reload).toHaveBeenCalledOnce();
  render(<ProblemState error={failure as Error} />);
  expect(screen.getByText("The page was updated")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Reload" }));
  expect(reload).toHaveBeenCalledTimes(2);
});

it("again for the next build", async () => {
  void fetchRoom(missing);
  await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
  document.head.innerHTML = '<script type="module" src="/assets/first-2.js"></script>';
  void fetchRoom(missing);
  await vi.waitFor(() => expect(reload).toHaveBeenCalledTimes(2));
});

it("a server that is away is waited for, and the part comes with it", async () => {
  vi.useFakeTimers();
  serves = () => Promise.reject(new TypeError("fetch failed"));
  let load: () => Promise<typeof Room> = missing;
  const Part = fetched<object>(() => load());
  render(
    <Suspense fallback="soon">
      <Part />
    </Suspense>,
  );
  await act(settle);
  load = async () => Room;
  await act(() => vi.advanceTimersByTimeAsync(3000));
  expect(screen.getByText("the room")).toBeVisible();
  expect(reload).not.toHaveBeenCalled();
});

it("a server that is being updated, and serves no page for a moment, is waited for", async () => {
  vi.useFakeTimers();
  serves = async () => new Response(null, { status: 503 });
  const load = vi.fn(missing);
  void fetchRoom<unknown>(load);
  await vi.advanceTimersByTimeAsync(6000);
  expect(load).toHaveBeenCalledTimes(3);
  expect(reload).not.toHaveBeenCalled();
});

it("an error of the part itself is its own", async () => {
  await expect(fetchRoom(() => Promise.reject(new RangeError("Incorrect locale")))).rejects.toThrow(RangeError);
  expect(reload).not.toHaveBeenCalled();
});
