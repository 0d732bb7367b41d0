import { count } from "~/i18n/numbers";

export const SMALLEST_BATCH = 100;
export const LARGEST_BATCH = 10_000;
export const USUAL_BATCH = 1000;
export const BATCH_STEP = 100;

export function batchSizeFault(rows: number): string | undefined {
  if (Number.isNaN(rows)) return "How many rows a batch has is needed.";
  if (rows < SMALLEST_BATCH || rows > LARGEST_BATCH)
    return `Between ${count(SMALLEST_BATCH)} and ${count(LARGEST_BATCH)} rows, found ${count(rows)}.`;
  return Number.isInteger(rows) ? undefined : "Whole rows only.";
}

const ORIGINS: Readonly<Record<string, string>> = {
  environment: "from the environment",
  job: "from the job’s configuration",
  default: "the default",
};

/** `Env: ETL_BATCH_SIZE`, and what a run of this job has without being told otherwise. */
export function batchSizeHelp(batch_size: number | null, from: string | null): string {
  if (batch_size === null) return "Env: ETL_BATCH_SIZE";
  const origin = from === null ? undefined : ORIGINS[from];
  return `Env: ETL_BATCH_SIZE · usual ${count(batch_size)}${origin ? `, ${origin}` : ""}`;
}
