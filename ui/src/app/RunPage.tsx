import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { runQuery } from "~/api/queries";
import type { Run } from "~/api/types";
import { Card } from "~/components/Card";
import { EmptyState } from "~/components/EmptyState";
import { ProblemState } from "~/components/ProblemState";
import { Skeleton } from "~/components/Skeleton";
import { RUN_LOOKS } from "~/components/StatusBadge";
import { Tabs } from "~/components/Tabs";
import { HistoryPanel } from "~/history/HistoryPanel";
import { RunHeader } from "~/run/RunHeader";
import { useRunNews } from "~/run/useRunNews";
import { Layout } from "./Layout";
import { usePageSearch } from "./usePageSearch";

const ROUTE = "/etl/data-loader/$etl_job_id/$etl_run_id";
const AGAIN_MILLISECONDS = 2000;

export function RunPage() {
  const { etl_job_id, etl_run_id } = useParams({ from: ROUTE });
  const run = useQuery({
    ...runQuery(etl_run_id),
    refetchInterval: ({ state }) => (state.data?.is_ended ? false : AGAIN_MILLISECONDS),
  });
  useRunNews(run.data);
  return (
    <Layout etl_job_id={etl_job_id}>
      {run.data ? (
        <RunView etl_job_id={etl_job_id} run={run.data} />
      ) : (
        <Card>{run.error ? <ProblemState error={run.error} onRetry={() => void run.refetch()} /> : <Skeleton />}</Card>
      )}
    </Layout>
  );
}

function RunView({ run, etl_job_id }: { run: Run; etl_job_id: string }) {
  const [{ tab = "batches" }, change] = usePageSearch();
  if (run.etl_job_id !== etl_job_id) return <OtherJob run={run} />;
  return (
    <>
      <title>{`${RUN_LOOKS[run.status].text} · ${run.etl_run_id} – Data Loader`}</title>
      <RunHeader run={run} />
      <Card isFlush>
        <Tabs
          label="Of this run"
          onSelect={(chosen) => change({ tab: chosen === "batches" ? undefined : chosen })}
          selected={tab}
          tabs={[
            { id: "batches", title: "Batches", content: null },
            { id: "validation", title: "Validation", content: null },
            {
              id: "history",
              title: "History",
              content: <HistoryPanel current={run.etl_run_id} etl_job_id={run.etl_job_id} />,
            },
          ]}
        />
      </Card>
    </>
  );
}

/** The link names one job, the ledger another: a typing error in the address. */
function OtherJob({ run }: { run: Run }) {
  return (
    <Card>
      <EmptyState
        actions={
          <Link params={{ etl_job_id: run.etl_job_id, etl_run_id: run.etl_run_id }} to={ROUTE}>
            Open it there
          </Link>
        }
        icon="search"
        title="This run belongs to another job"
      >
        <p>
          {run.etl_run_id} is a run of {run.etl_job_id}.
        </p>
      </EmptyState>
    </Card>
  );
}
