import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, it, vi } from "vitest";
import type { Run } from "~/api/types";
import { run as sampleRun } from "~/test/samples";
import { useJobFollows } from "./useJobFollows";

it("asks for the job's history again at each turn of the run, and not at each batch", () => {
  const queries = new QueryClient();
  const invalidate = vi.spyOn(queries, "invalidateQueries");
  const partial = sampleRun({ status: "partial_success", is_ended: true });
  const { rerender } = renderHook(({ run }: { run: Run | null }) => useJobFollows(run), {
    initialProps: { run: null as Run | null },
    wrapper: ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    ),
  });
  expect(invalidate).not.toHaveBeenCalled();
  rerender({ run: partial });
  rerender({ run: { ...partial, revision: partial.revision + 1 } });
  expect(invalidate).toHaveBeenCalledTimes(1);
  rerender({ run: { ...partial, status: "loading", is_ended: false } });
  rerender({ run: { ...partial, status: "success" } });
  expect(invalidate).toHaveBeenCalledTimes(3);
  expect(invalidate).toHaveBeenLastCalledWith(expect.objectContaining({ queryKey: ["job", partial.etl_job_id] }));
});
