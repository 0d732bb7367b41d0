import { useRef } from "react";
import { randomHex } from "./random";

/**
 * One key for one wish: the same wish said twice (a double click, a request sent again) carries the same key, so that it
 * is done once. `forget` it when it was granted or refused: to wish the same anew is another wish.
 */
export function useIdempotencyKeys(): { keyOf: (wish: unknown) => string; forget: () => void } {
  const last = useRef<{ wish: string; key: string } | null>(null);
  return {
    keyOf(wish) {
      const written = JSON.stringify(wish);
      if (last.current?.wish !== written) last.current = { wish: written, key: randomHex(16) };
      return last.current.key;
    },
    forget() {
      last.current = null;
    },
  };
}
