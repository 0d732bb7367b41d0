import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Run } from "~/api/types";
import { useRunWatch } from "~/live/use-run";
import { newIdempotencyKey } from "./requests";

/** Asks something of the watched run, under one key for as long as the dialog is open, and shows what comes of it. */
export function useRequest(ask: (key: string) => Promise<Run>, onDone: () => void) {
  const watch = useRunWatch();
  const [key] = useState(newIdempotencyKey);
  return useMutation({
    mutationFn: () => ask(key),
    onSuccess: (run) => {
      watch.store.offer(run, []);
      watch.wake();
      onDone();
    },
  });
}
