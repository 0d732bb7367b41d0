import { randomHex } from "~/api/random";

const LONGEST = 128;
const LONGEST_JOB = LONGEST - "-yyyymmdd-hhmmss-xxxxxx".length;

/** As `etl staging load` makes it up: `job-20261127-001530-a1b2c3`, in UTC. */
export function newRunId(etl_job_id: string, now: Date = new Date()): string {
  const [day = "", time = ""] = now.toISOString().split("T");
  const digits = (written: string) => written.replaceAll(/\D/g, "");
  return `${etl_job_id.slice(0, LONGEST_JOB)}-${digits(day)}-${digits(time.slice(0, 8))}-${randomHex(3)}`;
}

/** What is wrong with it and what would be right; undefined where nothing is. */
export function runIdFault(etl_run_id: string): string | undefined {
  if (!etl_run_id) return "A run needs an id: letters, digits, - and _.";
  if (etl_run_id.length > LONGEST) return `At most ${LONGEST} characters, these are ${etl_run_id.length}.`;
  if (!/^[A-Za-z0-9]/.test(etl_run_id)) return "It begins with a letter or a digit.";
  const strange = [...etl_run_id].find((character) => !/[A-Za-z0-9_-]/.test(character));
  return strange && `Letters, digits, - and _ only; found ${strange === " " ? "a space" : `“${strange}”`}.`;
}
