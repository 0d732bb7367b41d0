import { createContext, use, useCallback, useSyncExternalStore } from "react";
import type { BatchRow, BatchStatus, Run } from "~/api/types";
import type { Link } from "./channel";
import type { RunStore } from "./run-store";
import type { RunWatch } from "./run-watch";

export const RunWatchContext = createContext<RunWatch | null>(null);

export function useRunWatch(): RunWatch {
  const watch = use(RunWatchContext);
  if (!watch) throw new Error("no run is watched here");
  return watch;
}

export function useRunStore(): RunStore {
  return useRunWatch().store;
}

/** Null until the first state has come. */
export function useRun(): Run | null {
  const store = useRunStore();
  return useSyncExternalStore(store.subscribeRun, store.run);
}

export function useLink(): Link {
  const watch = useRunWatch();
  return useSyncExternalStore(watch.subscribeLink, watch.link);
}

/** One batch: only its own changes draw it again. */
export function useBatchRow(index: number): BatchRow | undefined {
  const store = useRunStore();
  const subscribe = useCallback((listener: () => void) => store.subscribeRow(index, listener), [store, index]);
  return useSyncExternalStore(
    subscribe,
    useCallback(() => store.row(index), [store, index]),
  );
}

export function useStatuses(): Readonly<Record<BatchStatus, number>> {
  const store = useRunStore();
  return useSyncExternalStore(store.subscribeTable, store.statuses);
}

export function useIsComplete(): boolean {
  const store = useRunStore();
  return useSyncExternalStore(store.subscribeTable, store.isComplete);
}
