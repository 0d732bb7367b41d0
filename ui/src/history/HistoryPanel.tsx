import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { RunSummary } from "~/api/types";
import { Button, IconButton } from "~/components/Button";
import { classes } from "~/components/classes";
import { EmptyState } from "~/components/EmptyState";
import { ProblemState } from "~/components/ProblemState";
import { Skeleton } from "~/components/Skeleton";
import { RunStatusBadge } from "~/components/StatusBadge";
import { Time } from "~/components/Time";
import { count, duration } from "~/i18n/numbers";
import { ConfigurationDiff } from "./ConfigurationDiff";
import styles from "./HistoryPanel.module.css";
import { useHistory } from "./useHistory";

/** The runs of a job; `current`: the one that is shown beside. */
export function HistoryPanel({ etl_job_id, current }: { etl_job_id: string; current?: string }) {
  const history = useHistory(etl_job_id);
  if (history.isPending)
    return (
      <div className={styles.waiting}>
        <Skeleton lines={6} />
      </div>
    );
  if (!history.data) return <ProblemState error={history.error} onRetry={() => void history.refetch()} />;
  const runs = history.data.pages.flatMap((page) => page.runs);
  if (runs.length === 0)
    return (
      <EmptyState icon="history" title="No runs yet">
        <p>
          <strong>{etl_job_id}</strong> has never been loaded. Start a load, and it stands here.
        </p>
      </EmptyState>
    );
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reached by the keyboard */}
      <section aria-label="Table of runs" className={styles.scroll} tabIndex={0}>
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Status</th>
              <th scope="col">Started</th>
              <th className={styles.number} scope="col">
                Took
              </th>
              <th className={styles.number} scope="col">
                Inserted
              </th>
              <th className={styles.number} scope="col">
                Updated
              </th>
              <th className={styles.number} scope="col">
                Unchanged
              </th>
              <th className={styles.number} scope="col">
                Failed
              </th>
              <th scope="col">Settings</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <RunRow isCurrent={run.etl_run_id === current} key={run.etl_run_id} run={run} />
            ))}
          </tbody>
        </table>
      </section>
      {history.hasNextPage && (
        <div className={styles.more}>
          <Button isPending={history.isFetchingNextPage} isSmall onPress={() => void history.fetchNextPage()}>
            Older runs
          </Button>
        </div>
      )}
    </>
  );
}

const COLUMNS = 9;

function RunRow({ run, isCurrent }: { run: RunSummary; isCurrent: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const changes = run.configuration_changes;
  return (
    <>
      <tr className={classes(isCurrent && styles.current)}>
        <th className={styles.run} scope="row">
          <Link
            aria-label={run.etl_run_id}
            {...(isCurrent && { "aria-current": "page" as const })}
            params={{ etl_job_id: run.etl_job_id, etl_run_id: run.etl_run_id }}
            to="/etl/data-loader/$etl_job_id/$etl_run_id"
          >
            {shortId(run)}
          </Link>
          {run.requested_by && <span className={styles.by}>by {run.requested_by}</span>}
        </th>
        <td>
          <RunStatusBadge status={run.status} />
        </td>
        <td>
          <Time instant={run.started_at ?? run.created_at} />
        </td>
        <td className={styles.number}>{took(run)}</td>
        <td className={styles.number}>{count(run.rows_inserted)}</td>
        <td className={styles.number}>{count(run.rows_updated)}</td>
        <td className={styles.number}>{count(run.rows_unchanged)}</td>
        <td className={classes(styles.number, run.batches_failed > 0 && styles.alarming)}>
          {count(run.batches_failed)} <span className={styles.of}>of {count(run.batches_total)}</span>
        </td>
        <td className={styles.changes}>
          {changes.length > 0 ? (
            <>
              <IconButton
                aria-expanded={isOpen}
                icon={isOpen ? "chevronDown" : "chevronRight"}
                isSmall
                label={`${isOpen ? "Hide" : "Show"} what changed before ${run.etl_run_id}`}
                onPress={() => setOpen(!isOpen)}
              />
              {count(changes.length)} changed
            </>
          ) : (
            <span className={styles.of}>–</span>
          )}
        </td>
      </tr>
      {isOpen && (
        <tr className={styles.detail}>
          <td colSpan={COLUMNS}>
            <div className={styles.changed}>
              <ConfigurationDiff changes={changes} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

/** Without the job's name, which stands above. */
function shortId(run: RunSummary): string {
  const prefix = `${run.etl_job_id}-`;
  return run.etl_run_id.startsWith(prefix) ? run.etl_run_id.slice(prefix.length) : run.etl_run_id;
}

function took(run: RunSummary): string {
  if (!run.started_at || !run.completed_at) return "–";
  return duration((Date.parse(run.completed_at) - Date.parse(run.started_at)) / 1000);
}
