import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, client, rememberCsrfToken } from "~/api/client";
import { sessionQuery } from "~/api/queries";
import type { User } from "~/api/types";

/** Who is signed in; the page shows nothing of its own without somebody. */
export function useUser(): User | null {
  return useQuery(sessionQuery).data?.user ?? null;
}

/** Viewers look, operators also start, retry and cancel. */
export function useIsOperator(): boolean {
  return useUser()?.role === "operator";
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: { name: string; password: string }) => answer(client.POST("/api/session", { body })),
    retry: false,
    onSuccess: (session) => {
      rememberCsrfToken(session.csrf_token);
      // what another user, or nobody, was told is not true for this one
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] });
      queries.setQueryData(sessionQuery.queryKey, session);
    },
  });
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => answer(client.DELETE("/api/session")),
    onSuccess: async () => {
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] });
      await queries.invalidateQueries(sessionQuery);
    },
  });
}
