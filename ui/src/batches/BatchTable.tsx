import { useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, useCallback, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Sort, SortableColumn } from "~/app/search";
import { BatchItem } from "./BatchItem";
import styles from "./BatchTable.module.css";
import { columns, features } from "./columns";
import { HeaderRow } from "./HeaderRow";
import type { OrderedBatches } from "./ordered-batches";
import { HEADER_HEIGHT, useHeights } from "./use-heights";
import { useKeyboard } from "./use-keyboard";
import { useScrollAnchor } from "./use-scroll-anchor";

export interface BatchTableProps {
  order: OrderedBatches;
  sort: Sort;
  onSort: (sort: Sort) => void;
  expanded: readonly number[];
  onToggle: (index: number) => void;
  /** Absent: the user may not, or the run is under way. */
  onRetry?: ((index: number) => void) | undefined;
}

const OVERSCAN = 8;
const NO_ROWS: never[] = [];

/**
 * A treegrid of which only the rows in sight are in the document. TanStack Table keeps columns and sorting; the rows
 * stay in the store, in the order of `order`, so that an update draws one row and nothing of 12,000.
 */
export function BatchTable({ order, sort, onSort, expanded, onToggle, onRetry }: BatchTableProps) {
  const indexes = useSyncExternalStore(order.subscribe, order.indexes);
  const places = useMemo(() => new Map(indexes.map((index, place) => [index, place])), [indexes]);
  const open = useMemo(() => new Set(expanded), [expanded]);
  const openPlaces = useMemo(() => placesOf(expanded, places), [expanded, places]);
  const [active, setActive] = useState<number | null>(null);
  const activePlace = active === null ? undefined : places.get(active);
  const scroller = useRef<HTMLDivElement>(null);

  const table = useTable({
    features,
    columns,
    data: NO_ROWS,
    manualSorting: true,
    enableSortingRemoval: false,
    enableMultiSort: false,
    state: { sorting: [{ id: sort.column, desc: sort.descending }] },
    onSortingChange: (update) => {
      const [next] = typeof update === "function" ? update([{ id: sort.column, desc: sort.descending }]) : update;
      if (next) onSort({ column: next.id as SortableColumn, descending: next.desc });
    },
  });

  const heights = useHeights(indexes, open);
  const virtualizer = useVirtualizer({
    count: indexes.length,
    getScrollElement: () => scroller.current,
    estimateSize: heights.heightOf,
    getItemKey: heights.keyOf,
    overscan: OVERSCAN,
    // the header stands before the rows, and covers as much of them
    scrollPaddingEnd: HEADER_HEIGHT,
    // the row with the focus stays in the document wherever one scrolls
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) =>
      shownPlaces(Math.max(0, startIndex - overscan), Math.min(count - 1, endIndex + overscan), activePlace),
    useFlushSync: false,
  });
  useScrollAnchor(scroller, virtualizer, heights.keyOf, places);

  const { onKeyDown, focus } = useKeyboard({
    scroller,
    virtualizer,
    indexes,
    places,
    open,
    active,
    setActive,
    onToggle,
  });

  const click = useCallback(
    (event: MouseEvent<HTMLElement>) => {
      const pressed = pressedRow(event);
      if (!pressed) return;
      if (pressed.action === "retry") onRetry?.(pressed.index);
      else if (!isSelectingText()) onToggle(pressed.index);
      focus(pressed.index);
    },
    [onRetry, onToggle, focus],
  );

  const items = virtualizer.getVirtualItems();
  const tabStop = activePlace !== undefined ? active : (indexes[items[0]?.index ?? 0] ?? null);
  return (
    <div
      aria-colcount={columns.length + 1}
      aria-label="Batches"
      aria-rowcount={1 + indexes.length + openPlaces.length}
      className={styles.scroller}
      onClick={click}
      onFocus={(event) => {
        const row = (event.target as HTMLElement).closest<HTMLElement>("[data-batch]");
        if (row) setActive(Number(row.dataset.batch));
      }}
      onKeyDown={onKeyDown}
      ref={scroller}
      role="treegrid"
    >
      <HeaderRow table={table} />
      <div className={styles.body} role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => {
          const index = indexes[item.index] as number;
          return (
            <BatchItem
              index={index}
              isOpen={open.has(index)}
              isTabStop={index === tabStop}
              key={index}
              onHeight={heights.report}
              onRetry={onRetry}
              rowIndex={rowIndexOf(item.index, openPlaces)}
              start={item.start}
            />
          );
        })}
      </div>
    </div>
  );
}

/** The header is row 1, and each open row takes one more. */
function rowIndexOf(place: number, openPlaces: readonly number[]): number {
  return place + 2 + openPlaces.filter((open) => open < place).length;
}

function placesOf(expanded: readonly number[], places: ReadonlyMap<number, number>): readonly number[] {
  return expanded.flatMap((index) => places.get(index) ?? []);
}

function shownPlaces(first: number, last: number, active: number | undefined): number[] {
  const shown: number[] = [];
  if (active !== undefined && active < first) shown.push(active);
  for (let place = first; place <= last; place += 1) shown.push(place);
  if (active !== undefined && active > last) shown.push(active);
  return shown;
}

function pressedRow(event: MouseEvent<HTMLElement>): { index: number; action: string | undefined } | null {
  const target = event.target as HTMLElement;
  const row = target.closest<HTMLElement>("[data-batch]");
  if (!row) return null;
  return { index: Number(row.dataset.batch), action: target.closest<HTMLElement>("[data-action]")?.dataset.action };
}

/** A click that ends a selection, to copy an error's text, opens nothing. */
function isSelectingText(): boolean {
  return (document.getSelection()?.toString() ?? "") !== "";
}
