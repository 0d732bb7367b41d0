import { useQuery } from "@tanstack/react-query";
import { sessionQuery } from "~/api/queries";

/** The user is an operator; the API checks it again. */
export function useMayAct(): boolean {
  return useQuery(sessionQuery).data?.user?.role === "operator";
}
