/** What the URL remembers beside job and run: what is typed in no form, only looked at. */

import { BATCH_STATUSES, type BatchStatus } from "~/api/types";

export const TABS = ["batches", "validation", "history"] as const;
export type Tab = (typeof TABS)[number];

export const SORTABLE_COLUMNS = [
  "index",
  "status",
  "attempts",
  "rows_attempted",
  "rows_inserted",
  "rows_updated",
  "validation_failures",
  "duration_ms",
  "committed_at",
] as const;
export type SortableColumn = (typeof SORTABLE_COLUMNS)[number];

export interface Sort {
  readonly column: SortableColumn;
  readonly descending: boolean;
}

export interface PageSearch {
  /** The job chosen in the form, where the path names none. */
  readonly job?: string | undefined;
  readonly tab?: Tab | undefined;
  /** Batches shown: of these states; absent: all. */
  readonly status?: readonly BatchStatus[] | undefined;
  /** Batches shown: with this in their number, error code or message. */
  readonly text?: string | undefined;
  /** A column, with `-` before it descending. */
  readonly sort?: `${"" | "-"}${SortableColumn}` | undefined;
  /** Indexes of the batches whose rows are open. */
  readonly expanded?: readonly number[] | undefined;
}

const MOST_EXPANDED = 50;

/**
 * From a pasted link or from the page itself; what makes no sense is dropped, never an error. Each key is there, absent
 * ones as undefined: the router lays this over what stands in the URL, which would show through.
 */
export function validatedSearch(search: Record<string, unknown>): PageSearch {
  return {
    job: textOf(search.job),
    tab: TABS.find((tab) => tab === search.tab),
    status: nonEmpty(listOf(search.status).filter(isBatchStatus)),
    text: textOf(search.text),
    sort: sortOf(search.sort),
    expanded: nonEmpty(listOf(search.expanded).map(Number).filter(isIndex).slice(0, MOST_EXPANDED)),
  };
}

export function parsedSort(sort: PageSearch["sort"]): Sort {
  const descending = sort?.startsWith("-") ?? false;
  const column = SORTABLE_COLUMNS.find((each) => each === sort?.replace(/^-/, "")) ?? "index";
  return { column, descending };
}

export function writtenSort({ column, descending }: Sort): PageSearch["sort"] {
  if (column === "index" && !descending) return undefined;
  return `${descending ? "-" : ""}${column}`;
}

/** `?status=failed,retried&expanded=3,17`: lists by commas, everything else as it is. */
export function parseSearch(written: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(written));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value === undefined || value === null || value === "") continue;
    parameters.set(name, Array.isArray(value) ? value.join(",") : String(value));
  }
  const written = parameters.toString().replaceAll("%2C", ",");
  return written && `?${written}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() ? value.slice(0, 200) : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return typeof value === "string" && value ? value.split(",") : [];
}

function sortOf(value: unknown): PageSearch["sort"] {
  if (typeof value !== "string") return undefined;
  return SORTABLE_COLUMNS.some((column) => column === value.replace(/^-/, ""))
    ? writtenSort(parsedSort(value as PageSearch["sort"]))
    : undefined;
}

function isBatchStatus(value: unknown): value is BatchStatus {
  return BATCH_STATUSES.some((status) => status === value);
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length ? [...new Set(list)] : undefined;
}
