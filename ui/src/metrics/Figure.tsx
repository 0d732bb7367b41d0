import { classes } from "~/components/classes";
import styles from "./MetricCards.module.css";

interface FigureProps {
  name: string;
  value: string;
  /** Under the value, small. */
  note?: string;
  isWarning?: boolean;
  isFailure?: boolean;
}

/** Inside a `dl`. */
export function Figure({ name, value, note, isWarning = false, isFailure = false }: FigureProps) {
  return (
    <div className={styles.figure}>
      <dt className={styles.name}>{name}</dt>
      <dd className={classes(styles.value, isFailure && styles.failure)}>{value}</dd>
      {note && <dd className={classes(styles.note, isWarning && styles.warning)}>{note}</dd>}
    </div>
  );
}
