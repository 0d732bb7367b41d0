import { QueryClient } from "@tanstack/react-query";
import { keepSession } from "~/api/client";
import { isPassing } from "~/api/problem";
import { sessionQuery } from "~/api/queries";

const MOST_RETRIES = 3;

export function newQueryClient(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => isPassing(error) && failures < MOST_RETRIES,
        staleTime: 5_000,
        refetchOnWindowFocus: true,
      },
      // a mutation carries an idempotency key: asking again is safe
      mutations: { retry: (failures, error) => isPassing(error) && failures < 2 },
    },
  });
  keepSession({
    async renew() {
      const before = nameOf(client);
      await client.fetchQuery({ ...sessionQuery, staleTime: 0, retry: false });
      return nameOf(client) === before;
    },
    /** The sign-in page takes the place of what was shown, under the same URL; it needs a cookie and token of its own. */
    noticeEnd() {
      if (nameOf(client) === null) return; // told before, and asked for already
      client.setQueryData(sessionQuery.queryKey, (session) => session && { ...session, user: null });
      void client.invalidateQueries(sessionQuery);
    },
  });
  return client;
}

function nameOf(client: QueryClient): string | null {
  return client.getQueryData(sessionQuery.queryKey)?.user?.name ?? null;
}
