import { useSyncExternalStore } from "react";
import { announce } from "./announcements";
import type { Tone } from "./Badge";

export interface ToastContent {
  readonly tone: Tone;
  readonly title: string;
  readonly description?: string | undefined;
  readonly action?: { readonly text: string; readonly onPress: () => void } | undefined;
}

const listeners = new Set<() => void>();
let hasToasts = false;
let told: readonly ToastContent[] = [];

/** Shows it and says it. */
export function toast(content: ToastContent): void {
  const isFailure = content.tone === "danger";
  told = [...told, content];
  hasToasts = true;
  for (const listener of listeners) listener();
  announce([content.title, content.description].filter(Boolean).join(". "), isFailure ? "assertive" : "polite");
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What has been told since this was last asked. */
export function takeTold(): readonly ToastContent[] {
  const taken = told;
  told = [];
  return taken;
}

/** True from the first on: what draws them is fetched then. */
export function useHasToasts(): boolean {
  return useSyncExternalStore(subscribe, () => hasToasts);
}
