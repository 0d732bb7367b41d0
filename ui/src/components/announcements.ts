/** What is read out. Failures at once; everything else at most every five seconds, the latest first. */

export type Politeness = "polite" | "assertive";

const PAUSE_MILLISECONDS = 5000;

export interface Spoken {
  readonly polite: string;
  readonly assertive: string;
}

let spoken: Spoken = { polite: "", assertive: "" };
let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let lastPolite = Number.NEGATIVE_INFINITY;
const listeners = new Set<() => void>();

export function announce(text: string, politeness: Politeness = "polite"): void {
  if (politeness === "assertive") {
    speak({ ...spoken, assertive: told(text, spoken.assertive) });
    return;
  }
  waiting = [...waiting.filter((each) => each !== text), text].slice(-3);
  if (timer !== undefined) return;
  timer = setTimeout(speakWaiting, Math.max(0, lastPolite + PAUSE_MILLISECONDS - Date.now()));
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function currentlySpoken(): Spoken {
  return spoken;
}

function speakWaiting(): void {
  timer = undefined;
  lastPolite = Date.now();
  const text = waiting.join(". ");
  waiting = [];
  speak({ ...spoken, polite: told(text, spoken.polite) });
}

function speak(next: Spoken): void {
  spoken = next;
  for (const listener of listeners) listener();
}

/** The same words again would not be read: a no-break space makes them new. */
function told(text: string, before: string): string {
  return text === before ? `${text}\u00a0` : text;
}
