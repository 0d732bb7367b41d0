import { useCallback, useRef, useState } from "react";

/** Both stand in BatchTable.module.css, too. */
export const ROW_HEIGHT = 36;
export const HEADER_HEIGHT = 36;
/** Of what is open, until it has been drawn. */
const DETAIL_HEIGHT = 280;

/**
 * Heights of the table's rows by batch: what is open has its own, which it reports once it is drawn, and keeps it while
 * it is scrolled out of sight. `keyOf` is a new function whenever a height may have changed.
 */
export function useHeights(indexes: readonly number[], open: ReadonlySet<number>) {
  const details = useRef(new Map<number, number>());
  const [version, setVersion] = useState(0);

  const report = useCallback((index: number, height: number) => {
    if (details.current.get(index) === height) return;
    details.current.set(index, height);
    setVersion((before) => before + 1);
  }, []);

  const heightOf = (place: number): number => {
    const index = indexes[place] as number;
    return open.has(index) ? ROW_HEIGHT + (details.current.get(index) ?? DETAIL_HEIGHT) : ROW_HEIGHT;
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: open and version change heights, not keys
  const keyOf = useCallback((place: number): number => indexes[place] as number, [indexes, open, version]);

  return { heightOf, keyOf, report };
}
