import styles from "./Skeleton.module.css";

/** Grey bars where text will stand. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div aria-hidden="true" className={styles.skeleton}>
      {Array.from({ length: lines }, (_, line) => `line ${line}`).map((line) => (
        <span className={styles.line} key={line} />
      ))}
    </div>
  );
}
