import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { sessionQuery } from "~/api/queries";
import type { Run } from "~/api/types";
import { RunWatch } from "~/live/run-watch";
import { RunWatchContext } from "~/live/use-run";
import { run } from "~/test/samples";
import { TestStream } from "~/test/stream";
import { RunActions } from "./RunActions";

function show(retryable: Partial<Run["retryable"]>) {
  const watch = new RunWatch({
    openEvents: (lastId) => new TestStream(lastId),
    fetchChange: () => Promise.reject(new Error("not asked here")),
    fetchPage: () => Promise.reject(new Error("not asked here")),
  });
  const ended = run({ status: "partial_success", is_ended: true, may_cancel: false });
  watch.store.offer({ ...ended, retryable: { ...ended.retryable, ...retryable } }, []);
  watch.store.flush();
  const queries = new QueryClient();
  queries.setQueryData(sessionQuery.queryKey, {
    user: { name: "ada", role: "operator" },
    csrf_token: "token",
    has_passwords: true,
    single_sign_on: null,
  });
  render(
    <QueryClientProvider client={queries}>
      <RunWatchContext value={watch}>
        <RunActions />
      </RunWatchContext>
    </QueryClientProvider>,
  );
  return screen.getAllByRole("button").map((button) => button.textContent);
}

it.each([
  [
    "counts what it retries, without those that time will not mend",
    { batches: 12, permanent_batches: 3 },
    "Retry failed (9)",
  ],
  ["counts nothing where only such are left: its dialog asks", { batches: 3, permanent_batches: 3 }, "Retry failed"],
  ["reads on where no batch is left", { has_unread_input: true }, "Read on"],
])("a retry %s", (_, retryable, label) => {
  expect(show(retryable)).toEqual([label, "Download"]);
});

it("no retry is offered once a later run has stored something: it would be refused", () => {
  expect(show({ batches: 12, has_unread_input: true, is_overtaken: true })).toEqual(["Download"]);
});
