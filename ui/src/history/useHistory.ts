import { useInfiniteQuery } from "@tanstack/react-query";
import { answer, client } from "~/api/client";

const PAGE = 50;
const AGAIN_MILLISECONDS = 5000;

/** The job's runs, the latest first. The first page is asked again while one of its runs is in progress. */
export function useHistory(etl_job_id: string) {
  return useInfiniteQuery({
    queryKey: ["job", etl_job_id, "runs"],
    queryFn: ({ pageParam, signal }) =>
      answer(
        client.GET("/api/jobs/{etl_job_id}/runs", {
          params: { path: { etl_job_id }, query: { limit: PAGE, ...(pageParam !== null && { before: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: null as number | null,
    getNextPageParam: (last) => last.next_before,
    refetchInterval: ({ state }) =>
      state.data?.pages[0]?.runs.some((run) => run.completed_at === null) ? AGAIN_MILLISECONDS : false,
  });
}
