import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answer, client } from "~/api/client";

/** What an open row shows; `revision`: of the row that is known, a newer one is asked for anew. */
export const batchQuery = (etl_run_id: string, index: number, revision: number) =>
  queryOptions({
    queryKey: ["batch", etl_run_id, index, revision],
    queryFn: ({ signal }) =>
      answer(client.GET("/api/runs/{etl_run_id}/batches/{index}", { params: { path: { etl_run_id, index } }, signal })),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
