import { LOCALE } from "./numbers";

const sameDay = new Intl.DateTimeFormat(LOCALE, { timeStyle: "medium" });
const otherDay = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" });

/** Local: only the time today, with the day otherwise. */
export function localTime(instant: string, now: Date = new Date()): string {
  const date = new Date(instant);
  return (date.toDateString() === now.toDateString() ? sameDay : otherDay).format(date);
}

/** UTC, ISO 8601, to the millisecond: what logs and the ledger say. */
export function utcTime(instant: string): string {
  return new Date(instant).toISOString();
}

const STEPS = [
  [60, 1, "second"],
  [3600, 60, "minute"],
  [86_400, 3600, "hour"],
  [Number.POSITIVE_INFINITY, 86_400, "day"],
] as const;
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });

/** `5 minutes ago`. */
export function ago(instant: string, now: Date = new Date()): string {
  const seconds = Math.min(0, (new Date(instant).getTime() - now.getTime()) / 1000);
  const step = STEPS.find(([limit]) => -seconds < limit) ?? STEPS[3];
  return relative.format(Math.ceil(seconds / step[1]), step[2]);
}
