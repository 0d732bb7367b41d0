import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { isPassing, problemCode } from "~/api/problem";
import { sessionQuery } from "~/api/queries";

const MOST_RETRIES = 3;

export function newQueryClient(): QueryClient {
  /** The session has ended: the sign-in page takes the place of what was shown, under the same URL. */
  const noticeEndOfSession = (error: Error): void => {
    if (problemCode(error) === "not_signed_in")
      client.setQueryData(sessionQuery.queryKey, (session) => session && { ...session, user: null });
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: noticeEndOfSession }),
    mutationCache: new MutationCache({ onError: noticeEndOfSession }),
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
  return client;
}
