import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Run } from "~/api/types";
import { RunWatch } from "~/live/run-watch";
import { RunWatchContext } from "~/live/use-run";
import { batch, metrics, request, run } from "~/test/samples";
import { TestStream } from "~/test/stream";
import { CancelDialog } from "./CancelDialog";
import { RetryDialog } from "./RetryDialog";

let sent: Request[];
let replies: (() => Response)[];

beforeEach(() => {
  sent = [];
  replies = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(request.clone());
    return (replies.shift() ?? accepted)();
  });
});
afterEach(() => vi.unstubAllGlobals());

const accepted = () => Response.json(run({ status: "queued" }), { status: 202 });

const failed = run({
  status: "partial_success",
  is_ended: true,
  retryable: {
    batches: 12,
    rows: 11_400,
    permanent_batches: 3,
    permanent_rows: 2400,
    has_unread_input: false,
    is_overtaken: false,
  },
});

function show(watched: Run, dialog: ReactNode) {
  const watch = new RunWatch({
    openEvents: (lastId) => new TestStream(lastId),
    fetchChange: () => Promise.reject(new Error("not asked here")),
    fetchPage: () => Promise.reject(new Error("not asked here")),
  });
  watch.store.offer(watched, [
    batch(7, { status: "failed", error_is_permanent: true, records: 800, rows_attempted: 0 }),
  ]);
  watch.store.flush();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RunWatchContext value={watch}>{dialog}</RunWatchContext>
    </QueryClientProvider>,
  );
}

const button = (name: string | RegExp) => screen.getByRole("button", { name });

it("a retry says how many batches and rows, without those that time will not mend", async () => {
  const close = vi.fn();
  show(failed, <RetryDialog onClose={close} />);
  expect(screen.getByRole("alertdialog")).toHaveTextContent("9 batches with 9,000 rows");
  await userEvent.click(button("Retry 9 batches"));
  await waitFor(() => expect(close).toHaveBeenCalledOnce());
  expect(await sent[0]?.json()).toEqual({ batch_indexes: null, includes_permanent: false });
});

it("which are included when they are chosen", async () => {
  show(failed, <RetryDialog onClose={vi.fn()} />);
  await userEvent.click(screen.getByRole("checkbox", { name: /Include 3 batches \(2,400 rows\)/ }));
  expect(screen.getByRole("alertdialog")).toHaveTextContent("12 batches with 11,400 rows");
  await userEvent.click(button("Retry 12 batches"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(await sent[0]?.json()).toEqual({ batch_indexes: null, includes_permanent: true });
});

it("input that was not read can be read on, also where no batch is left", async () => {
  const retryable = { ...failed.retryable, batches: 3, has_unread_input: true };
  show(run({ ...failed, retryable }), <RetryDialog onClose={vi.fn()} />);
  expect(button("Read on")).toBeEnabled();
});

it("nothing can be confirmed where only such batches are left and none is chosen", async () => {
  const retryable = { ...failed.retryable, batches: 3, rows: 2400 };
  show(run({ ...failed, retryable }), <RetryDialog onClose={vi.fn()} />);
  expect(button("Nothing to retry")).toBeDisabled();
  await userEvent.click(screen.getByRole("checkbox"));
  expect(button("Retry 3 batches")).toBeEnabled();
});

it("one batch is retried alone, also one that time will not mend: whoever names it knows it", async () => {
  show(failed, <RetryDialog batch={7} onClose={vi.fn()} />);
  expect(screen.getByRole("alertdialog")).toHaveTextContent("1 batch with 800 rows");
  expect(screen.getByRole("alertdialog")).toHaveTextContent("Its error will not pass by itself");
  await userEvent.click(button("Retry 1 batch"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(await sent[0]?.json()).toEqual({ batch_indexes: [7], includes_permanent: true });
});

const keys = () => sent.map((request) => request.headers.get("Idempotency-Key"));

it("a refusal is shown, and what is asked after it is another wish", async () => {
  const problem = { title: "The run is running", status: 409, code: "run_is_running", detail: "Run run-1 is running." };
  const told = { type: "about:blank", next_step: "Wait for its end.", fields: {}, ...problem };
  replies.push(() => Response.json(told, { status: 409 }));
  const close = vi.fn();
  show(failed, <RetryDialog onClose={close} />);
  await userEvent.click(button("Retry 9 batches"));
  expect(await screen.findByRole("alert")).toHaveTextContent("Run run-1 is running.Wait for its end.");
  expect(close).not.toHaveBeenCalled();
  await userEvent.click(button("Retry 9 batches"));
  await waitFor(() => expect(close).toHaveBeenCalledOnce());
  expect(new Set(keys()).size).toBe(2);
});

it("a request whose answer was lost is the same wish when it is sent again", async () => {
  replies.push(() => {
    throw new TypeError("fetch failed");
  });
  const close = vi.fn();
  show(failed, <RetryDialog onClose={close} />);
  await userEvent.click(button("Retry 9 batches"));
  expect(await screen.findByRole("alert")).toHaveTextContent("The server does not answer.");
  await userEvent.click(button("Retry 9 batches"));
  await waitFor(() => expect(close).toHaveBeenCalledOnce());
  expect(keys()).toHaveLength(2);
  expect(new Set(keys()).size).toBe(1);
});

it("a cancel is asked for only once it is confirmed", async () => {
  const close = vi.fn();
  show(run(), <CancelDialog onClose={close} run={run()} />);
  await userEvent.click(button("Let it run"));
  expect(close).toHaveBeenCalledOnce();
  expect(sent).toHaveLength(0);
  await userEvent.click(button("Cancel the run"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(new URL(sent[0]?.url ?? "").pathname).toBe("/api/runs/run-1/cancel");
});

it("cancelling what has not begun says what it ends: a load before anything is stored", () => {
  const queued = run({ status: "queued", last_request: request({ action: "load" }) });
  show(queued, <CancelDialog onClose={vi.fn()} run={queued} />);
  expect(screen.getByRole("alertdialog")).toHaveTextContent("Cancel this run?It has not begun. It ends at once");
  expect(button("Cancel the run")).toBeEnabled();
});

it("or a retry, of a run whose rows stay", () => {
  const queued = run({
    status: "queued",
    last_request: request({ action: "retry" }),
    metrics: metrics({ rows_inserted: 900, rows_updated: 60, rows_unchanged: 40 }),
  });
  show(queued, <CancelDialog onClose={vi.fn()} run={queued} />);
  const dialog = screen.getByRole("alertdialog");
  expect(dialog).toHaveTextContent("Withdraw this retry?");
  expect(dialog).toHaveTextContent("the 1,000 rows that it has stored and the batches that failed stay");
  expect(dialog).not.toHaveTextContent("nothing is stored");
  expect(button("Withdraw the retry")).toBeEnabled();
});
