import { useState } from "react";
import type { LogEntry } from "~/api/types";
import { Button } from "~/components/Button";
import { classes } from "~/components/classes";
import { counted } from "~/i18n/numbers";
import styles from "./Logs.module.css";

const SHOWN_AT_FIRST = 20;

/** Structured entries as JSON, an entry a line, the latest last. */
export function Logs({ entries }: { entries: readonly LogEntry[] }) {
  const [isWhole, setWhole] = useState(false);
  if (entries.length === 0) return <p className={styles.none}>Nothing was logged.</p>;
  const shown = isWhole ? entries : entries.slice(-SHOWN_AT_FIRST);
  const hidden = entries.length - shown.length;
  return (
    <div className={styles.logs}>
      {hidden > 0 && (
        <Button icon="chevronDown" isSmall onPress={() => setWhole(true)} tone="quiet">
          {`Show ${counted(hidden, "earlier entry", "earlier entries")}`}
        </Button>
      )}
      <pre className={styles.lines}>
        {shown.map((entry, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: entries are only ever appended, and drawn at once
          <code className={classes(styles.line, styles[toneOf(entry.level)])} key={place}>
            {written(entry)}
          </code>
        ))}
      </pre>
    </div>
  );
}

function written(entry: LogEntry): string {
  const { detail, attempt, ...head } = entry;
  const isEmpty = !detail || Object.keys(detail).length === 0;
  return JSON.stringify({
    ...head,
    ...(attempt !== null && attempt !== undefined && { attempt }),
    ...(!isEmpty && { detail }),
  });
}

function toneOf(level: string): "failure" | "caution" | "plain" {
  const name = level.toLowerCase();
  if (name === "error" || name === "critical") return "failure";
  return name === "warning" ? "caution" : "plain";
}
