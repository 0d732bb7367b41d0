import { useSyncExternalStore } from "react";
import { announce } from "./announcements";
import type { Tone } from "./Badge";

export interface ToastContent {
  readonly tone: Tone;
  readonly title: string;
  readonly description?: string | undefined;
  /** What it is about: of one topic one toast is shown, the latest. */
  readonly topic?: string | undefined;
  readonly action?: { readonly text: string; readonly onPress: () => void } | undefined;
}

/** What is to be shown; without a content, the topic's toast is to go. */
export interface Told {
  readonly topic: string;
  readonly content: ToastContent | null;
}

const listeners = new Set<() => void>();
const standing = new Map<string, ToastContent>();
let hasToasts = false;
let told: readonly Told[] = [];
let withoutTopic = 0;

/** Shows it, in the place of what stands there of its topic, and says it where its title is new. */
export function toast(content: ToastContent): void {
  withoutTopic += 1;
  const topic = content.topic ?? `toast ${withoutTopic}`;
  const isNew = standing.get(topic)?.title !== content.title;
  standing.set(topic, content);
  hasToasts = true;
  tell({ topic, content });
  const words = [content.title, content.description].filter(Boolean).join(". ");
  if (isNew) announce(words, content.tone === "danger" ? "assertive" : "polite");
}

/** What was told of it is no longer so. */
export function dismiss(topic: string): void {
  if (standing.delete(topic)) tell({ topic, content: null });
}

/** It was closed, or has left by itself. */
export function forget(topic: string): void {
  standing.delete(topic);
}

function tell(news: Told): void {
  told = [...told, news];
  for (const listener of listeners) listener();
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What has been told since this was last asked. */
export function takeTold(): readonly Told[] {
  const taken = told;
  told = [];
  return taken;
}

/** True from the first on: what draws them is fetched then. */
export function useHasToasts(): boolean {
  return useSyncExternalStore(subscribe, () => hasToasts);
}
