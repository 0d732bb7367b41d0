import { NOTHING } from "./numbers";

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

/** Local: the time alone today, with the day before today, with the year before this year. */
export function formatInstant(iso: string | null | undefined, now: Date = new Date()): string {
  const instant = parse(iso);
  if (!instant) return NOTHING;
  if (instant.toDateString() === now.toDateString()) return time.format(instant);
  const date = instant.getFullYear() === now.getFullYear() ? day : dayOfYear;
  return `${date.format(instant)}, ${time.format(instant)}`;
}

/** For a tooltip: UTC, ISO 8601, to the millisecond. */
export function formatInstantUtc(iso: string | null | undefined): string | undefined {
  return parse(iso)?.toISOString();
}

function parse(iso: string | null | undefined): Date | null {
  if (!iso) return null;
  const instant = new Date(iso);
  return Number.isNaN(instant.getTime()) ? null : instant;
}
