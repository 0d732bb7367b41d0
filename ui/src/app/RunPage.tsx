import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, Suspense } from "react";
import { RunActions } from "~/actions/RunActions";
import { ProblemError, ServerGone } from "~/api/problem";
import type { Run } from "~/api/types";
import { BatchesPanel } from "~/batches/BatchesPanel";
import { Card } from "~/components/Card";
import { EmptyState } from "~/components/EmptyState";
import { fetched } from "~/components/fetched";
import { ProblemState } from "~/components/ProblemState";
import { Skeleton } from "~/components/Skeleton";
import { RUN_LOOKS } from "~/components/StatusBadge";
import { type TabItem, Tabs } from "~/components/Tabs";
import { shortCount } from "~/i18n/numbers";
import { LiveIndicator } from "~/live/LiveIndicator";
import { RunProvider } from "~/live/RunProvider";
import { useLink, useRun, useRunWatch } from "~/live/use-run";
import { MetricCards } from "~/metrics/MetricCards";
import { RunHeader } from "~/run/RunHeader";
import { useJobFollows } from "~/run/useJobFollows";
import { useRunNews } from "~/run/useRunNews";
import { Layout } from "./Layout";
import styles from "./RunPage.module.css";
import type { Tab } from "./search";
import { usePageSearch } from "./usePageSearch";

const ROUTE = "/etl/data-loader/$etl_job_id/$etl_run_id";

const ValidationPanel = fetched(() => import("~/validation/ValidationPanel").then((room) => room.ValidationPanel));
const HistoryPanel = fetched(() => import("~/history/HistoryPanel").then((room) => room.HistoryPanel));

export function RunPage() {
  const { etl_job_id, etl_run_id } = useParams({ from: ROUTE });
  return (
    <Layout etl_job_id={etl_job_id} isRunShown>
      <RunProvider etl_run_id={etl_run_id} key={etl_run_id}>
        <WatchedRun etl_job_id={etl_job_id} />
      </RunProvider>
    </Layout>
  );
}

function WatchedRun({ etl_job_id }: { etl_job_id: string }) {
  const run = useRun();
  useRunNews(run);
  useJobFollows(run);
  if (!run) return <NotYet etl_job_id={etl_job_id} />;
  return run.etl_job_id === etl_job_id ? <RunView run={run} /> : <OtherJob run={run} />;
}

/** Before the first state has come, and where none will. */
function NotYet({ etl_job_id }: { etl_job_id: string }) {
  const { state, problem } = useLink();
  const watch = useRunWatch();
  const error = problem ? new ProblemError(problem) : state === "unreachable" ? new ServerGone() : null;
  return (
    <Card>
      <h1 className="visually-hidden">Run of {etl_job_id}</h1>
      {error ? (
        <>
          <ProblemState error={error} {...(state !== "refused" && { onRetry: () => watch.wake() })} />
          {problem?.code === "unknown_run" && (
            <p className={styles.elsewhere}>
              <Link search={{ job: etl_job_id }} to="/etl/data-loader">
                Runs of {etl_job_id}
              </Link>
            </p>
          )}
        </>
      ) : (
        <Skeleton lines={5} />
      )}
    </Card>
  );
}

function RunView({ run }: { run: Run }) {
  const [{ tab = "batches" }, change] = usePageSearch();
  return (
    <>
      <title>{`${RUN_LOOKS[run.status].text} · ${run.etl_run_id} – Data Loader`}</title>
      <RunHeader actions={<RunActions />} live={<LiveIndicator />} run={run} />
      <MetricCards />
      <Card isFlush>
        <Tabs
          label="Of this run"
          onSelect={(chosen) => change({ tab: chosen === "batches" ? undefined : chosen })}
          selected={tab}
          tabs={tabsOf(run)}
        />
      </Card>
    </>
  );
}

function tabsOf(run: Run): readonly TabItem<Tab>[] {
  const { batches_total, batches_failed } = run.metrics;
  const { rows_invalid, rows_rejected } = run.validation_summary;
  return [
    {
      id: "batches",
      title: "Batches",
      count: batches_failed ? `${shortCount(batches_failed)} failed` : shortCount(batches_total),
      isAlarming: batches_failed > 0,
      content: <BatchesPanel />,
    },
    {
      id: "validation",
      title: "Validation",
      count: shortCount(rows_invalid + rows_rejected),
      content: (
        <Coming>
          <ValidationPanel />
        </Coming>
      ),
    },
    {
      id: "history",
      title: "History",
      content: (
        <Coming>
          <HistoryPanel current={run.etl_run_id} etl_job_id={run.etl_job_id} />
        </Coming>
      ),
    },
  ];
}

function Coming({ children }: { children: ReactNode }) {
  return (
    <Suspense
      fallback={
        <div className={styles.coming}>
          <Skeleton lines={6} />
        </div>
      }
    >
      {children}
    </Suspense>
  );
}

/** The link names one job, the ledger another: a typing error in the address. */
function OtherJob({ run }: { run: Run }) {
  return (
    <Card>
      <h1 className="visually-hidden">Run of another job</h1>
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
