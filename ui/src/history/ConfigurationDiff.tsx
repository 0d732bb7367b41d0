import type { ConfigurationChange } from "~/api/types";
import { Expandable } from "~/components/Expandable";
import styles from "./ConfigurationDiff.module.css";

/** Keys of the job's configuration with their value then and now. */
export function ConfigurationDiff({ changes }: { changes: readonly ConfigurationChange[] }) {
  return (
    <dl className={styles.diff}>
      {changes.map(({ key, before, after }) => (
        <div className={styles.change} key={key}>
          <dt className={styles.key}>{key}</dt>
          <dd className={styles.before}>
            <del>
              <Side text={before} />
            </del>
          </dd>
          <dd className={styles.after}>
            <ins>
              <Side text={after} />
            </ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Side({ text }: { text: string | null }) {
  return text === null ? <span className={styles.absent}>not set</span> : <Expandable isMono text={text} />;
}
