import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import type { PageSearch } from "./search";

type Update = Partial<PageSearch> | ((before: PageSearch) => Partial<PageSearch>);

/**
 * The part of the URL after `?`, and how it is changed. `replace`: without a new entry for the browser's Back, as for each
 * letter that is typed into a filter.
 */
export function usePageSearch(): [PageSearch, (update: Update, options?: { replace?: boolean }) => void] {
  const search = useSearch({ from: "/etl/data-loader" });
  const navigate = useNavigate();
  const change = useCallback(
    (update: Update, { replace = false } = {}) => {
      void navigate({
        to: ".",
        search: (before: PageSearch) => ({ ...before, ...(typeof update === "function" ? update(before) : update) }),
        replace,
        resetScroll: false,
      });
    },
    [navigate],
  );
  return [search, change];
}
