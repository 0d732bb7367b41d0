/**
 * Numbers as people read them. The browser's own locale, which is never named: `navigator.language` can be no language
 * at all (`en-US@posix`), and Intl throws when it is handed one.
 */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

/** What stands where there is no value. */
export const NOTHING = "–";

export function formatCount(count: number | null | undefined): string {
  return count == null ? NOTHING : whole.format(count);
}

/** `12.4K`, where there is no room; never the only place that says a number. */
export function formatCompact(count: number): string {
  return Math.abs(count) < 10_000 ? formatNumber(count) : compact.format(count);
}

/** At most three places that matter: 1,234, 56.7, 0.89. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return whole.format(value);
  return size >= 10 ? tenths.format(value) : hundredths.format(value);
}

export function formatPercent(share: number): string {
  return percent.format(share);
}

/** `1 batch`, `12,000 batches`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
