/** The browser's own way of writing numbers. Some systems name a locale that `Intl` refuses (`en-US@posix`). */
export const LOCALE: string | undefined = usableLocale(globalThis.navigator?.language);

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });
const oneDigit = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1, minimumFractionDigits: 1 });

export function count(value: number): string {
  return whole.format(value);
}

/** 1.23M: where space is short; say the whole number in a tooltip. */
export function shortCount(value: number): string {
  return Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value);
}

/** `1 batch`, `2 batches`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function milliseconds(value: number | null): string {
  if (value === null) return "–";
  if (value < 1000) return `${whole.format(value)} ms`;
  return value < 60_000 ? `${oneDigit.format(value / 1000)} s` : duration(value / 1000);
}

/** 4.2 s, 1 min 05 s, 2 h 03 min. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${oneDigit.format(Math.max(0, seconds))} s`;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return `${minutes} min ${padded(rounded % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${padded(minutes % 60)} min`;
}

function padded(value: number): string {
  return String(value).padStart(2, "0");
}

function usableLocale(name: string | undefined): string | undefined {
  try {
    return name && Intl.getCanonicalLocales(name)[0];
  } catch {
    return undefined; // Intl's default
  }
}
