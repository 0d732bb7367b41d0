import { useMutation } from "@tanstack/react-query";
import { useIdempotencyKeys } from "~/api/idempotency";
import { ProblemError } from "~/api/problem";
import type { Run } from "~/api/types";
import { useRunWatch } from "~/live/use-run";

/** Asks something of the watched run, and shows what comes of it. `wish`: all that is asked. */
export function useRequest<Wish>(wish: Wish, ask: (wish: Wish, key: string) => Promise<Run>, onDone: () => void) {
  const watch = useRunWatch();
  const keys = useIdempotencyKeys();
  return useMutation({
    mutationFn: () => ask(wish, keys.keyOf(wish)),
    onError: (error) => {
      if (error instanceof ProblemError) keys.forget();
    },
    onSuccess: (run) => {
      keys.forget();
      watch.store.offer(run, []);
      watch.wake();
      onDone();
    },
  });
}
