import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { request, run } from "~/test/samples";
import { RunNotices } from "./RunNotices";

const partial = run({ status: "partial_success", is_ended: true });
const left = { ...partial.retryable, batches: 3, rows: 2400 };

it("a retry that was refused says so, and why, and that the run stands as before", () => {
  const last_request = request({ status: "refused", refusal: "the table stg_guests is missing", requested_by: "bob" });
  render(<RunNotices run={{ ...partial, last_request }} />);
  expect(screen.getByText("The retry was refused")).toBeVisible();
  expect(screen.getByText("The table stg_guests is missing.")).toBeVisible();
  expect(screen.getByText(/The run stands as it did before. Asked for by bob/)).toBeVisible();
});

it("a retry that was withdrawn says so", () => {
  render(<RunNotices run={{ ...partial, last_request: request({ status: "withdrawn" }) }} />);
  expect(screen.getByText("The retry was withdrawn")).toBeVisible();
});

it.each(["queued", "done"] as const)("a retry that is %s is no refusal", (status) => {
  render(<RunNotices run={{ ...partial, last_request: request({ status }) }} />);
  expect(screen.queryByText(/The retry was/)).toBeNull();
});

it("a run that a later one has overtaken says why it cannot be retried", () => {
  const { rerender } = render(<RunNotices run={{ ...partial, retryable: { ...left, is_overtaken: true } }} />);
  expect(screen.getByText(/can no longer be retried/)).toBeVisible();
  rerender(<RunNotices run={{ ...partial, retryable: left }} />);
  expect(screen.queryByText(/can no longer be retried/)).toBeNull();
});

it("what is queued says what it waits for", () => {
  const queueing = {
    requested_at: "2026-11-27T00:05:00Z",
    requested_by: "ada",
    ahead: 0,
    workers: 1,
    waits_for: "run run-0 of the same job is under way",
  };
  render(<RunNotices run={run({ status: "queued", queueing })} />);
  expect(screen.getByText("Run run-0 of the same job is under way.")).toBeVisible();
});
