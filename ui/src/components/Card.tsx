import { type ReactNode, useId } from "react";
import styles from "./Card.module.css";
import { classes } from "./classes";

interface CardProps {
  title?: string;
  /** Beside the title, at the end of its line. */
  actions?: ReactNode;
  /** Without padding: a table reaches the edge. */
  isFlush?: boolean;
  /** Only the title shows, where the window is too narrow for two columns. */
  isFolded?: boolean;
  headingLevel?: 2 | 3;
  children: ReactNode;
}

export function Card({ title, actions, isFlush = false, isFolded = false, headingLevel = 2, children }: CardProps) {
  const heading = useId();
  const Heading = `h${headingLevel}` as const;
  return (
    <section {...(title && { "aria-labelledby": heading })} className={classes(styles.card, isFolded && styles.folded)}>
      {(title || actions) && (
        <header className={styles.header}>
          {title && (
            <Heading className={styles.title} id={heading}>
              {title}
            </Heading>
          )}
          {actions}
        </header>
      )}
      <div className={classes(styles.body, isFlush && styles.flush)}>{children}</div>
    </section>
  );
}
