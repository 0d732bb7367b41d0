import { useState } from "react";
import { Button } from "~/components/Button";
import styles from "./Logs.module.css";

export function StackTrace({ text }: { text: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div className={styles.logs}>
      <Button
        aria-expanded={isOpen}
        icon={isOpen ? "chevronDown" : "chevronRight"}
        isSmall
        onPress={() => setOpen(!isOpen)}
        tone="quiet"
      >
        Stack trace
      </Button>
      {isOpen && (
        <pre className={styles.lines}>
          <code>{text}</code>
        </pre>
      )}
    </div>
  );
}
