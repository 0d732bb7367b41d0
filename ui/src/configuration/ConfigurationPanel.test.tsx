import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, it, vi } from "vitest";
import { sessionQuery } from "~/api/queries";
import { newQueryClient } from "~/app/queryClient";
import { run as sampleRun } from "~/test/samples";
import { ConfigurationPanel } from "./ConfigurationPanel";

const job = {
  etl_job_id: "orders",
  description: "Orders of the shop",
  target_table: "stg_orders",
  source_type: "csv",
  source: "orders.csv",
  is_configured: true,
  batch_size: 2500,
  batch_size_from: "job",
  source_id: "order.id",
  source_updated_at: "changed_at",
  required: [],
  skip_unchanged: true,
  live_run_id: null,
  last_run: null,
};
const answered = (body: unknown, status = 200) => Response.json(body, { status });

interface Asked {
  readonly key: string | null;
  readonly body: unknown;
}

/** The network, answering as recorded. */
function recorded({ role = "operator", live_run_id = null as string | null } = {}) {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method !== "POST") return answered({ ...job, live_run_id });
    asked.push({ key: request.headers.get("Idempotency-Key"), body: await request.json() });
    return answered(sampleRun({ etl_job_id: "orders" }), 202);
  });
  const queries = newQueryClient();
  queries.setQueryData(sessionQuery.queryKey, {
    user: { name: "ada", role: role as "operator" },
    csrf_token: "token",
    has_passwords: true,
    single_sign_on: null,
  });
  const onStarted = vi.fn();
  render(
    <QueryClientProvider client={queries}>
      <ConfigurationPanel etl_job_id="orders" onChooseJob={() => undefined} onStarted={onStarted} />
    </QueryClientProvider>,
  );
  return { asked, onStarted };
}

const startButton = () => screen.findByRole("button", { name: "Start Load" });

afterEach(() => vi.unstubAllGlobals());

it("starts one run by a double click, with the job's own batch size and an id made up", async () => {
  const { asked, onStarted } = recorded();
  const start = await startButton();
  await waitFor(() => expect(start).toBeEnabled());
  await userEvent.dblClick(start);
  await waitFor(() => expect(onStarted).toHaveBeenCalled());
  expect(asked).toHaveLength(1);
  expect(asked[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  expect(asked[0]?.body).toMatchObject({ batch_size: 2500, force: false });
  expect(asked[0]?.body).toHaveProperty("etl_run_id", expect.stringMatching(/^orders-\d{8}-\d{6}-[0-9a-f]{6}$/));
});

it("starts nothing while the run id is none", async () => {
  recorded();
  const start = await startButton();
  const field = screen.getByLabelText(/^Run ID/);
  await waitFor(() => expect(start).toBeEnabled());
  await userEvent.clear(field);
  await userEvent.type(field, "a/b");
  expect(await screen.findByText(/found “\/”/)).toBeVisible();
  expect(start).toBeDisabled();
});

it("says why a viewer cannot start", async () => {
  recorded({ role: "viewer" });
  expect(await screen.findByText(/takes an operator/)).toBeVisible();
  expect(await startButton()).toBeDisabled();
});
