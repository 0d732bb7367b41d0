import { Focusable } from "react-aria-components/Tooltip";
import { localTime, utcTime } from "~/i18n/times";
import styles from "./Time.module.css";
import { Tip } from "./Tooltip";

/** Local; the tooltip says UTC, ISO 8601, as logs and ledger do. */
export function Time({ instant }: { instant: string | null }) {
  if (instant === null) return <span className={styles.absent}>–</span>;
  return (
    <Tip text={utcTime(instant)}>
      <Focusable>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the tooltip must be found by the keyboard */}
        <time className={styles.time} dateTime={utcTime(instant)} role="note" tabIndex={0}>
          {localTime(instant)}
        </time>
      </Focusable>
    </Tip>
  );
}
