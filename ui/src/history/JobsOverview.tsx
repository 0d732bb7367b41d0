import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { jobsQuery } from "~/api/queries";
import type { JobSummary } from "~/api/types";
import { Card } from "~/components/Card";
import { EmptyState } from "~/components/EmptyState";
import { ProblemState } from "~/components/ProblemState";
import { Skeleton } from "~/components/Skeleton";
import { RunStatusBadge } from "~/components/StatusBadge";
import { ago } from "~/i18n/times";
import styles from "./JobsOverview.module.css";

const SHOWN = 12;
const AGAIN_MILLISECONDS = 5000;

/** Where no job is chosen yet: those that ran last, and what came of it. */
export function JobsOverview() {
  const jobs = useQuery({ ...jobsQuery("", SHOWN, 0, "last_run"), refetchInterval: AGAIN_MILLISECONDS });
  if (jobs.error && !jobs.data) return <ProblemState error={jobs.error} onRetry={() => void jobs.refetch()} />;
  if (jobs.data?.jobs.some((job) => job.last_run))
    return (
      <Card
        actions={<p className={styles.hint}>No run chosen: start one, or open what a job did last.</p>}
        isFlush
        title="Jobs that ran last"
      >
        <Latest jobs={jobs.data.jobs} />
      </Card>
    );
  return (
    <Card isFlush>
      <EmptyState icon="inbox" isCompact title="No run chosen">
        <p>Choose a job and start a load.</p>
      </EmptyState>
      {jobs.data ? <Latest jobs={jobs.data.jobs} /> : <Skeleton lines={5} />}
    </Card>
  );
}

function Latest({ jobs }: { jobs: readonly JobSummary[] }) {
  if (jobs.length === 0)
    return (
      <p className={styles.none}>
        No job is configured. A job is a YAML entry in <code>conf/staging/</code>; docs/staging.md says how.
      </p>
    );
  const ran = jobs.filter((job) => job.last_run);
  const latest = ran.length ? ran : jobs;
  return (
    <ul aria-label="Jobs" className={styles.list}>
      {latest.map((job) => (
        <li className={styles.item} key={job.etl_job_id}>
          <Link className={styles.job} search={{ job: job.etl_job_id }} to="/etl/data-loader">
            <span className={styles.id}>{job.etl_job_id}</span>
            {job.description && <span className={styles.description}>{job.description}</span>}
          </Link>
          {job.last_run ? (
            <Link
              className={styles.last}
              params={{ etl_job_id: job.etl_job_id, etl_run_id: job.last_run.etl_run_id }}
              to="/etl/data-loader/$etl_job_id/$etl_run_id"
            >
              <span className="visually-hidden">Last run of {job.etl_job_id}:</span>
              <span className={styles.ago}>{ago(job.last_run.created_at)}</span>
              <RunStatusBadge status={job.last_run.status} />
            </Link>
          ) : (
            <span className={styles.last}>
              <RunStatusBadge status="idle" />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
