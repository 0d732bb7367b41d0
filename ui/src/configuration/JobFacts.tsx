import type { Job } from "~/api/types";
import styles from "./JobFacts.module.css";

export function JobFacts({ job }: { job: Job }) {
  return (
    <dl className={styles.facts}>
      {job.description && <dd className={styles.description}>{job.description}</dd>}
      <dt>Source</dt>
      <dd>
        {job.source_type}
        {job.source && <span className={styles.source}>{job.source}</span>}
      </dd>
      <dt>Target</dt>
      <dd>
        <code>{job.target_table}</code>
      </dd>
      {job.required.length > 0 && (
        <>
          <dt>Required</dt>
          <dd>
            <code>{job.required.join(", ")}</code>
          </dd>
        </>
      )}
    </dl>
  );
}
