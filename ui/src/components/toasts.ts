import { UNSTABLE_ToastQueue as ToastQueue } from "react-aria-components/Toast";
import { announce } from "./announcements";
import type { Tone } from "./Badge";

export interface ToastContent {
  readonly tone: Tone;
  readonly title: string;
  readonly description?: string | undefined;
  readonly action?: { readonly text: string; readonly onPress: () => void } | undefined;
}

const SHOWN_MILLISECONDS = 6000;
const MOST_VISIBLE = 4;

export const toastQueue = new ToastQueue<ToastContent>({ maxVisibleToasts: MOST_VISIBLE });

/** Failures stay until they are closed; everything else leaves by itself. */
export function toast(content: ToastContent): void {
  const isFailure = content.tone === "danger";
  toastQueue.add(content, isFailure ? {} : { timeout: SHOWN_MILLISECONDS });
  announce([content.title, content.description].filter(Boolean).join(". "), isFailure ? "assertive" : "polite");
}
