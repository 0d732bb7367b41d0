import { ToggleButton, ToggleButtonGroup } from "react-aria-components/ToggleButtonGroup";
import { BATCH_STATUSES, type BatchStatus } from "~/api/types";
import { classes } from "~/components/classes";
import { BATCH_LOOKS } from "~/components/StatusBadge";
import { count } from "~/i18n/numbers";
import { useStatuses } from "~/live/use-run";
import styles from "./BatchesPanel.module.css";

interface StatusFilterProps {
  selected: readonly BatchStatus[];
  onSelect: (statuses: readonly BatchStatus[]) => void;
}

/** How many batches are in each state; pressed ones are shown, none pressed: all. */
export function StatusFilter({ selected, onSelect }: StatusFilterProps) {
  const statuses = useStatuses();
  return (
    <ToggleButtonGroup
      aria-label="Show batches that are"
      className={styles.statuses ?? ""}
      onSelectionChange={(keys) => onSelect(BATCH_STATUSES.filter((status) => keys.has(status)))}
      selectedKeys={selected}
      selectionMode="multiple"
    >
      {BATCH_STATUSES.map((status) => (
        <ToggleButton
          className={classes(styles.status, statuses[status] === 0 && styles.empty, styles[status])}
          id={status}
          key={status}
        >
          {BATCH_LOOKS[status].text} <span className={styles.count}>{count(statuses[status])}</span>
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
