import styles from "./Brand.module.css";
import { classes } from "./classes";

export function Brand({ isLarge = false }: { isLarge?: boolean }) {
  return (
    <span className={classes(styles.brand, isLarge && styles.large)}>
      <svg aria-hidden="true" className={styles.mark} viewBox="0 0 32 32">
        <rect fill="var(--accent)" height="32" rx="8" width="32" />
        <g fill="none" stroke="var(--on-accent)" strokeLinecap="round" strokeWidth="2.6">
          <circle cx="14.5" cy="14.5" r="7.2" />
          <path d="m20 20 5 5" />
          <path d="M11.6 16.8v-2.2M14.5 16.8v-4.6M17.4 16.8v-3.4" strokeWidth="2" />
        </g>
      </svg>
      <span className={styles.words}>
        <span className={styles.product}>Data Loader</span>
        <span className={styles.house}>ownlens-etl</span>
      </span>
    </span>
  );
}
