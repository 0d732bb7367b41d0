import type { Virtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useCallback, useLayoutEffect, useRef } from "react";
import { ROW_HEIGHT } from "./use-heights";

interface Keyboard {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Virtualizer<HTMLDivElement, Element>;
  readonly indexes: readonly number[];
  readonly places: ReadonlyMap<number, number>;
  readonly open: ReadonlySet<number>;
  /** The batch whose row has, or had, the focus. */
  readonly active: number | null;
  readonly setActive: (index: number) => void;
  readonly onToggle: (index: number) => void;
}

/**
 * Keys of a treegrid whose rows take the focus: arrows, Home, End and the page keys move it, Enter opens and closes,
 * the right and left arrow open and close. Escape comes back from what is open to its row.
 */
export function useKeyboard(keyboard: Keyboard) {
  const { scroller, virtualizer, indexes, places, open, active, setActive, onToggle } = keyboard;
  const wanted = useRef<number | null>(null);

  const focus = useCallback(
    (index: number) => {
      setActive(index);
      wanted.current = index;
      rowOf(scroller.current, index)?.focus({ preventScroll: true });
    },
    [scroller, setActive],
  );

  // a row far away is drawn first, and then takes the focus
  useLayoutEffect(() => {
    const index = wanted.current;
    const row = index === null ? null : rowOf(scroller.current, index);
    if (!row) return;
    wanted.current = null;
    row.focus({ preventScroll: true });
  });

  const moveTo = (place: number) => {
    const bounded = Math.max(0, Math.min(indexes.length - 1, place));
    const index = indexes[bounded];
    if (index === undefined) return;
    virtualizer.scrollToIndex(bounded);
    focus(index);
  };

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const target = event.target as HTMLElement;
    if (event.key === "Escape") return leaveDetail(event, focus);
    if (active === null || target.dataset.batch === undefined || isOfTheBrowser(event)) return;
    const place = placeAfter(event.key, places.get(active) ?? 0, indexes.length, pageOf(scroller.current));
    if (place !== undefined) moveTo(place);
    else if (togglesWith(event.key, open.has(active))) onToggle(active);
    else return;
    event.preventDefault();
  };

  return { onKeyDown, focus };
}

/** Control with Home and End goes to the first and the last row, too. */
function isOfTheBrowser(event: KeyboardEvent<HTMLElement>): boolean {
  const isJump = event.key === "Home" || event.key === "End";
  return event.altKey || event.metaKey || (event.ctrlKey && !isJump);
}

function placeAfter(key: string, place: number, count: number, page: number): number | undefined {
  switch (key) {
    case "ArrowDown":
      return place + 1;
    case "ArrowUp":
      return place - 1;
    case "PageDown":
      return place + page;
    case "PageUp":
      return place - page;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return undefined;
  }
}

function togglesWith(key: string, isOpen: boolean): boolean {
  return key === "Enter" || key === " " || key === (isOpen ? "ArrowLeft" : "ArrowRight");
}

/** Rows that are in sight at once, less one that stays as a landmark. */
function pageOf(scroller: HTMLElement | null): number {
  return Math.max(1, Math.floor((scroller?.clientHeight ?? 0) / ROW_HEIGHT) - 2);
}

function leaveDetail(event: KeyboardEvent<HTMLElement>, focus: (index: number) => void): void {
  const detail = (event.target as HTMLElement).closest<HTMLElement>("[data-detail-of]");
  if (!detail) return;
  event.preventDefault();
  focus(Number(detail.dataset.detailOf));
}

function rowOf(scroller: HTMLElement | null, index: number): HTMLElement | null {
  return scroller?.querySelector<HTMLElement>(`[data-batch="${index}"]`) ?? null;
}
