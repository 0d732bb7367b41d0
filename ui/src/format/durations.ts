import { formatNumber, NOTHING } from "./numbers";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `840 ms`, `3.2 s`, `1 min 05 s`, `2 h 03 min`, `3 d 4 h`. */
export function formatDuration(milliseconds: number | null | undefined): string {
  if (milliseconds == null || !Number.isFinite(milliseconds)) return NOTHING;
  const span = Math.max(0, milliseconds);
  if (span < 999.5) return `${formatNumber(span < 10 ? span : Math.round(span))} ms`;
  if (span < 59_950) return `${formatNumber(Math.round(span / 100) / 10)} s`;
  const seconds = Math.round(span / SECOND) * SECOND;
  if (seconds < HOUR) return parts(seconds, MINUTE, "min", SECOND, "s");
  const minutes = Math.round(span / MINUTE) * MINUTE;
  if (minutes < DAY) return parts(minutes, HOUR, "h", MINUTE, "min");
  return parts(Math.round(span / HOUR) * HOUR, DAY, "d", HOUR, "h");
}

function parts(span: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((span % large) / small);
  return `${Math.floor(span / large)} ${largeName} ${String(rest).padStart(2, "0")} ${smallName}`;
}

/** `just now`, `12 s ago`, `3 min ago`: of what is watched, not of history. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.floor(Math.max(0, milliseconds) / SECOND);
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}
