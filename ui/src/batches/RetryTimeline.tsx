import type { Batch } from "~/api/types";
import { Expandable } from "~/components/Expandable";
import { duration } from "~/i18n/numbers";
import { localTime, utcTime } from "~/i18n/times";
import styles from "./RetryTimeline.module.css";

/** What failed, and how long was waited before the next attempt. */
export function RetryTimeline({ entries }: { entries: Batch["retry_timeline"] }) {
  return (
    <ol className={styles.timeline}>
      {entries.map((entry) => (
        <li className={styles.entry} key={`${entry.attempt} ${entry.at}`}>
          <p className={styles.head}>
            <strong>Attempt {entry.attempt}</strong>
            <time dateTime={entry.at} title={utcTime(entry.at)}>
              {localTime(entry.at)}
            </time>
            <code>{entry.error_code}</code>
            <span>then {duration(entry.wait_seconds)} of waiting</span>
          </p>
          <Expandable limit={200} text={entry.error_message} />
        </li>
      ))}
    </ol>
  );
}
