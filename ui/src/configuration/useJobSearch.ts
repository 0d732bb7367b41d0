import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { answer, client } from "~/api/client";
import { useDebounced } from "./useDebounced";

const PAGE = 100;
const PAUSE_MILLISECONDS = 180;

/** Jobs that match, a page at a time: there may be thousands, and the server searches them. */
export function useJobSearch(text: string, isWanted: boolean) {
  const query = useDebounced(text, PAUSE_MILLISECONDS);
  const search = useInfiniteQuery({
    queryKey: ["jobs", "search", query],
    queryFn: ({ pageParam, signal }) =>
      answer(client.GET("/api/jobs", { params: { query: { query, limit: PAGE, offset: pageParam } }, signal })),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const seen = pages.reduce((sum, page) => sum + page.jobs.length, 0);
      return last.jobs.length && seen < last.total ? seen : undefined;
    },
    enabled: isWanted,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  return {
    jobs: search.data?.pages.flatMap((page) => page.jobs.map((job) => ({ ...job, id: job.etl_job_id }))) ?? [],
    total: search.data?.pages[0]?.total ?? 0,
    isSearching: search.isFetching || query !== text,
    error: search.error,
    loadMore: () => {
      if (search.hasNextPage && !search.isFetchingNextPage) void search.fetchNextPage();
    },
    isLoadingMore: search.isFetchingNextPage,
  };
}
