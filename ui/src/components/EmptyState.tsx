import type { ReactNode } from "react";
import { classes } from "./classes";
import styles from "./EmptyState.module.css";
import { Icon, type IconName } from "./Icon";

interface EmptyStateProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  /** Buttons or links: what to do next. */
  actions?: ReactNode;
  isFailure?: boolean;
  isCompact?: boolean;
}

/** Nothing to show: why, and what to do. */
export function EmptyState({ icon, title, children, actions, isFailure = false, isCompact = false }: EmptyStateProps) {
  return (
    <div className={classes(styles.empty, isFailure && styles.failure, isCompact && styles.compact)}>
      <span className={styles.icon}>
        <Icon name={icon} size={isCompact ? 18 : 22} />
      </span>
      <p className={styles.title}>{title}</p>
      {children && <div className={styles.text}>{children}</div>}
      {actions && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}
