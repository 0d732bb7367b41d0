import { useState } from "react";
import { Button } from "./Button";
import { classes } from "./classes";
import styles from "./Expandable.module.css";

interface ExpandableProps {
  text: string;
  /** Longer text is cut here, until it is asked for. */
  limit?: number;
  isMono?: boolean;
}

/** Long text, cut, with the rest on demand. */
export function Expandable({ text, limit = 240, isMono = false }: ExpandableProps) {
  const [isOpen, setOpen] = useState(false);
  const isLong = text.length > limit;
  return (
    <div className={styles.expandable}>
      <p className={classes(styles.text, isMono && styles.mono)}>
        {isLong && !isOpen ? `${text.slice(0, limit).trimEnd()}…` : text}
      </p>
      {isLong && (
        <Button
          aria-expanded={isOpen}
          icon={isOpen ? "chevronDown" : "chevronRight"}
          isSmall
          onPress={() => setOpen(!isOpen)}
          tone="quiet"
        >
          {isOpen ? "Show less" : "Show all"}
        </Button>
      )}
    </div>
  );
}
