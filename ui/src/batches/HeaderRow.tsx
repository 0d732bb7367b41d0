import type { ReactTable } from "@tanstack/react-table";
import type { BatchRow } from "~/api/types";
import { classes } from "~/components/classes";
import { Icon } from "~/components/Icon";
import styles from "./BatchTable.module.css";
import type { features } from "./columns";

const ARIA_SORT = { asc: "ascending", desc: "descending" } as const;

export function HeaderRow({ table }: { table: Pick<ReactTable<typeof features, BatchRow>, "getFlatHeaders"> }) {
  return (
    <div className={styles.header} role="rowgroup">
      <div aria-rowindex={1} className={styles.line} role="row">
        {table.getFlatHeaders().map(({ column }, place) => {
          const sorted = column.getIsSorted();
          const title = column.columnDef.header as string;
          return (
            <div
              aria-colindex={place + 1}
              {...(sorted && { "aria-sort": ARIA_SORT[sorted] })}
              className={classes(styles.cell, column.columnDef.meta?.isNumber && styles.number)}
              key={column.id}
              role="columnheader"
            >
              {column.getCanSort() ? (
                <button
                  className={classes(styles.sort, sorted && styles.sorted)}
                  onClick={column.getToggleSortingHandler()}
                  type="button"
                >
                  {title}
                  <span className={classes(styles.arrow, sorted === "asc" && styles.ascending)}>
                    <Icon name="chevronDown" size={14} />
                  </span>
                </button>
              ) : (
                title
              )}
            </div>
          );
        })}
        <div aria-colindex={table.getFlatHeaders().length + 1} className={styles.cell} role="columnheader">
          <span className="visually-hidden">Actions</span>
        </div>
      </div>
    </div>
  );
}
