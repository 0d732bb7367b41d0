import type { ReactNode } from "react";
import type { Run } from "~/api/types";
import { CopyButton } from "~/components/CopyButton";
import { RunStatusBadge } from "~/components/StatusBadge";
import { Time } from "~/components/Time";
import { count } from "~/i18n/numbers";
import styles from "./RunHeader.module.css";
import { RunNotices } from "./RunNotices";

interface RunHeaderProps {
  run: Run;
  /** Retry, cancel, downloads. */
  actions?: ReactNode;
  /** Whether what is shown is of now. */
  live?: ReactNode;
}

export function RunHeader({ run, actions, live }: RunHeaderProps) {
  return (
    <section aria-labelledby="run-title" className={styles.header}>
      <div className={styles.top}>
        <div className={styles.identity}>
          <div className={styles.status}>
            <RunStatusBadge isLarge status={run.status} />
            {live}
          </div>
          <h1 className={styles.title} id="run-title">
            <span className={styles.id}>{run.etl_run_id}</span>
            <CopyButton text={run.etl_run_id} what="run id" />
          </h1>
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
      </div>
      <dl className={styles.facts}>
        <Fact name="Job">{run.etl_job_id}</Fact>
        <Fact name="Target">
          <code>{run.target_table}</code>
        </Fact>
        <Fact name="Started">
          <Time instant={run.started_at} />
        </Fact>
        {run.resumed_at && (
          <Fact name="Resumed">
            <Time instant={run.resumed_at} />
          </Fact>
        )}
        <Fact name="Loaded">
          <Time instant={run.loaded_at} />
        </Fact>
        <Fact name="Finished">
          <Time instant={run.completed_at} />
        </Fact>
        <Fact name="Batch size">{count(run.batch_size)}</Fact>
        {run.requested_by && <Fact name="Requested by">{run.requested_by}</Fact>}
      </dl>
      <RunNotices run={run} />
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
