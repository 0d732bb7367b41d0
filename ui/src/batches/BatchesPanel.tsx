import { Suspense, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { RetryDialog } from "~/actions/dialogs";
import { isOpenToRetries } from "~/actions/retryable";
import { useMayAct } from "~/actions/use-may-act";
import { parsedSort, type Sort, writtenSort } from "~/app/search";
import { usePageSearch } from "~/app/usePageSearch";
import { Button } from "~/components/Button";
import { EmptyState } from "~/components/EmptyState";
import { Skeleton } from "~/components/Skeleton";
import { count, counted } from "~/i18n/numbers";
import { useIsComplete, useRun, useRunStore } from "~/live/use-run";
import styles from "./BatchesPanel.module.css";
import { BatchTable } from "./BatchTable";
import { FilterField } from "./FilterField";
import type { Criteria } from "./order";
import { OrderedBatches } from "./ordered-batches";
import { StatusFilter } from "./StatusFilter";

/** The batches of the watched run; filters, sort and open rows live in the URL. */
export function BatchesPanel() {
  const [search, change] = usePageSearch();
  const [text, setText] = useTextInUrl(search.text ?? "", (text) =>
    change({ text: text || undefined }, { replace: true }),
  );
  const statuses = search.status ?? NO_STATUSES;
  const sort = useMemo(() => parsedSort(search.sort), [search.sort]);
  const order = useOrder(useMemo(() => ({ sort, statuses, text }), [sort, statuses, text]));

  const setSort = useCallback((next: Sort) => change({ sort: writtenSort(next) }), [change]);
  const toggle = useCallback(
    (index: number) => change(({ expanded = [] }) => ({ expanded: toggled(expanded, index) }), { replace: true }),
    [change],
  );

  const [retried, setRetried] = useState<number | null>(null);
  const run = useRun();
  const mayRetry = useMayAct() && run !== null && isOpenToRetries(run);
  const isFiltered = statuses.length > 0 || text.trim() !== "";
  return (
    <>
      <div className={styles.toolbar}>
        <FilterField label="Filter by number or error" onChange={setText} value={text} />
        <StatusFilter onSelect={(next) => change({ status: next.length ? next : undefined })} selected={statuses} />
        <Shown isFiltered={isFiltered} order={order} />
      </div>
      <Rows
        clear={() => {
          setText("");
          change({ status: undefined, text: undefined });
        }}
        isFiltered={isFiltered}
        order={order}
      >
        <BatchTable
          expanded={search.expanded ?? NO_INDEXES}
          onRetry={mayRetry ? setRetried : undefined}
          onSort={setSort}
          onToggle={toggle}
          order={order}
          sort={sort}
        />
      </Rows>
      <Suspense>{retried !== null && <RetryDialog batch={retried} onClose={() => setRetried(null)} />}</Suspense>
    </>
  );
}

const NO_STATUSES: never[] = [];
const NO_INDEXES: never[] = [];

interface RowsProps {
  order: OrderedBatches;
  isFiltered: boolean;
  clear: () => void;
  children: React.ReactNode;
}

/** The table, or why there is none. */
function Rows({ order, isFiltered, clear, children }: RowsProps) {
  const isEmpty = useSyncExternalStore(order.subscribe, order.indexes).length === 0;
  const isComplete = useIsComplete();
  const run = useRun();
  if (!isEmpty) return children;
  if (isFiltered)
    return (
      <EmptyState
        actions={<Button onPress={clear}>Clear the filter</Button>}
        icon="search"
        isCompact
        title="No batch matches"
      />
    );
  if (!isComplete)
    return (
      <div className={styles.waiting}>
        <Skeleton lines={6} />
      </div>
    );
  return (
    <EmptyState icon="inbox" isCompact title="No batches">
      {run?.is_ended
        ? "The run ended before its first batch was cut."
        : "They appear here as soon as the first is cut."}
    </EmptyState>
  );
}

function Shown({ order, isFiltered }: { order: OrderedBatches; isFiltered: boolean }) {
  const shown = useSyncExternalStore(order.subscribe, order.indexes).length;
  const store = useRunStore();
  if (!isFiltered) return null;
  return (
    <p className={styles.shown}>
      {count(shown)} of {counted(store.size, "batch", "batches")}
    </p>
  );
}

function useOrder(criteria: Criteria): OrderedBatches {
  const store = useRunStore();
  // biome-ignore lint/correctness/useExhaustiveDependencies: later criteria are set below, for the same order
  const order = useMemo(() => new OrderedBatches(store, criteria), [store]);
  useEffect(() => order.setCriteria(criteria), [order, criteria]);
  return order;
}

/** What is typed stands in the field at once, and in the URL a moment later; Back changes both. */
function useTextInUrl(inUrl: string, write: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(inUrl);
  const written = useRef(inUrl);
  useEffect(() => {
    if (inUrl.trim() === written.current.trim()) return;
    written.current = inUrl;
    setText(inUrl);
  }, [inUrl]);
  const set = (next: string) => {
    setText(next);
    written.current = next;
    write(next);
  };
  return [text, set];
}

function toggled(expanded: readonly number[], index: number): readonly number[] | undefined {
  const next = expanded.includes(index) ? expanded.filter((each) => each !== index) : [...expanded, index];
  return next.length ? next : undefined;
}
