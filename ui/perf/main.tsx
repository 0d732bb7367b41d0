import "~/theme/tokens.css";
import "~/theme/base.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import type { Sort } from "~/app/search";
import { BatchTable } from "~/batches/BatchTable";
import { OrderedBatches } from "~/batches/ordered-batches";
import { StatusFilter } from "~/batches/StatusFilter";
import { Card } from "~/components/Card";
import { LiveIndicator } from "~/live/LiveIndicator";
import { RunWatch } from "~/live/run-watch";
import { RunWatchContext } from "~/live/use-run";
import { MetricCards } from "~/metrics/MetricCards";
import { Feed } from "./feed";

declare global {
  interface Window {
    /** For measure.py. */
    harness: { readonly feed: Feed; readonly watch: RunWatch };
  }
}

const feed = new Feed();
const watch = new RunWatch(feed);
window.harness = { feed, watch };

const NONE: never[] = [];
const ignore = () => undefined;

/** Everything of the page that updates touch; open rows and sort without the URL. */
function Page() {
  const [sort, setSort] = useState<Sort>({ column: "index", descending: false });
  const [expanded, setExpanded] = useState<readonly number[]>(NONE);
  const order = useMemo(() => new OrderedBatches(watch.store, { sort: BY_INDEX, statuses: NONE, text: "" }), []);
  useEffect(() => order.setCriteria({ sort, statuses: NONE, text: "" }), [order, sort]);
  useEffect(() => watch.start(), []);
  const toggle = useCallback(
    (index: number) =>
      setExpanded((open) => (open.includes(index) ? open.filter((each) => each !== index) : [...open, index])),
    [],
  );
  return (
    <RunWatchContext value={watch}>
      <LiveIndicator />
      <MetricCards />
      <Card isFlush title="Batches">
        <StatusFilter onSelect={ignore} selected={NONE} />
        <BatchTable expanded={expanded} onSort={setSort} onToggle={toggle} order={order} sort={sort} />
      </Card>
    </RunWatchContext>
  );
}

const BY_INDEX: Sort = { column: "index", descending: false };

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
createRoot(root).render(
  <QueryClientProvider client={new QueryClient()}>
    <Page />
  </QueryClientProvider>,
);
