import { memo } from "react";
import { classes } from "~/components/classes";
import { Icon } from "~/components/Icon";
import { count } from "~/i18n/numbers";
import { useBatchRow } from "~/live/use-run";
import { BatchDetail } from "./BatchDetail";
import styles from "./BatchTable.module.css";
import { columns } from "./columns";

interface BatchItemProps {
  index: number;
  /** Among all rows, from 1. */
  rowIndex: number;
  start: number;
  isOpen: boolean;
  isTabStop: boolean;
  /** Absent: the user may not, or the run is under way. */
  onRetry?: ((index: number) => void) | undefined;
  onHeight: (index: number, height: number) => void;
}

/**
 * A batch's row, and under it what is open. What is pressed is told by data attributes, to one listener of the table:
 * rows come and go with every turn of the wheel and should bring as little as they can.
 */
export const BatchItem = memo(function BatchItem(props: BatchItemProps) {
  const { index, rowIndex, start, isOpen, isTabStop, onRetry, onHeight } = props;
  const row = useBatchRow(index);
  if (!row) return null;
  const isFailed = row.status === "failed";
  return (
    <div className={styles.item} role="presentation" style={{ transform: `translateY(${start}px)` }}>
      <div
        aria-expanded={isOpen}
        aria-level={1}
        aria-rowindex={rowIndex}
        className={classes(styles.line, styles.row, isOpen && styles.open, isFailed && styles.failed)}
        data-batch={index}
        role="row"
        tabIndex={isTabStop ? 0 : -1}
      >
        {columns.map((column, place) => (
          <div
            aria-colindex={place + 1}
            className={classes(styles.cell, column.meta?.isNumber && styles.number)}
            key={column.header as string}
            role="gridcell"
          >
            {place === 0 && (
              <span className={classes(styles.chevron, isOpen && styles.turned)}>
                <Icon name="chevronRight" size={14} />
              </span>
            )}
            {column.meta?.render(row)}
          </div>
        ))}
        <div aria-colindex={columns.length + 1} className={styles.cell} role="gridcell">
          {isFailed && onRetry && (
            <button
              aria-label={`Retry batch ${count(index)}`}
              className={styles.retry}
              data-action="retry"
              tabIndex={isTabStop ? 0 : -1}
              title="Retry this batch"
              type="button"
            >
              <Icon name="refresh" />
            </button>
          )}
        </div>
      </div>
      {isOpen && <BatchDetail onHeight={onHeight} onRetry={onRetry} row={row} rowIndex={rowIndex + 1} />}
    </div>
  );
});
