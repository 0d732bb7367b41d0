import { useEffect, useState } from "react";
import type { Run } from "~/api/types";
import type { RunStore } from "~/live/run-store";
import { useRunStore } from "~/live/use-run";
import { type Rates, ratesOf } from "./rates";

const EVERY_MS = 2000;

/** Of the run's latest stretch: since a retry took it up, or since its start. */
export function useRates(): Rates | null {
  const store = useRunStore();
  const [rates, setRates] = useState<Rates | null>(null);
  useEffect(() => {
    let version = -1;
    let wasEnded = false;
    const look = () => {
      const run = store.run();
      const isEnded = run?.is_ended ?? false;
      if (!run || (version === store.version() && isEnded === wasEnded)) return;
      version = store.version();
      wasEnded = isEnded;
      setRates(currentRates(store, run));
    };
    look();
    const timer = setInterval(look, EVERY_MS);
    const soon = setTimeout(look, EVERY_MS / 4);
    return () => {
      clearInterval(timer);
      clearTimeout(soon);
    };
  }, [store]);
  return rates;
}

function currentRates(store: RunStore, run: Run): Rates | null {
  const from = run.resumed_at ?? run.started_at;
  if (from === null) return null;
  const end = run.completed_at ?? run.loaded_at;
  return ratesOf(store.rows(), Date.parse(from), end === null ? Date.now() : Date.parse(end));
}
