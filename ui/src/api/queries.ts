import { queryOptions } from "@tanstack/react-query";
import { answer, client, rememberCsrfToken } from "./client";
import type { JobOrder, Session } from "./types";

/** One key and one way of asking for each thing that the API tells. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<Session> => {
    const session = await answer(client.GET("/api/session", { signal }));
    rememberCsrfToken(session.csrf_token);
    return session;
  },
  staleTime: Number.POSITIVE_INFINITY,
});

export const jobsQuery = (query: string, limit: number, offset: number, sort: JobOrder = "match") =>
  queryOptions({
    queryKey: ["jobs", { query, limit, offset, sort }],
    queryFn: ({ signal }) =>
      answer(client.GET("/api/jobs", { params: { query: { query, limit, offset, sort } }, signal })),
    staleTime: 30_000,
  });

export const jobQuery = (etl_job_id: string) =>
  queryOptions({
    queryKey: ["job", etl_job_id],
    queryFn: ({ signal }) => answer(client.GET("/api/jobs/{etl_job_id}", { params: { path: { etl_job_id } }, signal })),
  });

export const runQuery = (etl_run_id: string) =>
  queryOptions({
    queryKey: ["run", etl_run_id],
    queryFn: ({ signal }) => answer(client.GET("/api/runs/{etl_run_id}", { params: { path: { etl_run_id } }, signal })),
  });
