import type { VirtualItem, Virtualizer } from "@tanstack/react-virtual";
import { type RefObject, useLayoutEffect, useRef } from "react";

interface Drawn {
  readonly layout: unknown;
  readonly items: readonly VirtualItem[];
}

/**
 * When rows come, go, open or change places, the row that is looked at stays where it is on the screen: the one with
 * the focus, if it is in sight, or else the first. At the very top one stays at the top.
 *
 * `layout`: another value whenever a row may stand elsewhere. Items' keys are batches.
 */
export function useScrollAnchor(
  scroller: RefObject<HTMLDivElement | null>,
  virtualizer: Virtualizer<HTMLDivElement, Element>,
  layout: unknown,
  places: ReadonlyMap<number, number>,
): void {
  const drawn = useRef<Drawn>({ layout, items: [] });
  useLayoutEffect(() => {
    const before = drawn.current;
    drawn.current = { layout, items: virtualizer.getVirtualItems() };
    const element = scroller.current;
    if (!element || before.layout === layout || element.scrollTop === 0) return;
    const anchor = anchorOf(element, before.items);
    const place = anchor && places.get(anchor.key as number);
    if (!anchor || place === undefined) return;
    const moved = (virtualizer.measurementsCache[place]?.start ?? anchor.start) - anchor.start;
    if (moved !== 0) element.scrollTop += moved;
  });
}

function anchorOf(element: HTMLElement, items: readonly VirtualItem[]): VirtualItem | undefined {
  const top = element.scrollTop;
  const inSight = items.filter((item) => item.start >= top && item.start < top + element.clientHeight);
  const focused = document.activeElement?.closest<HTMLElement>("[data-batch]")?.dataset.batch;
  return inSight.find((item) => String(item.key) === focused) ?? inSight[0];
}
