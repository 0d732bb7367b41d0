import { Button, Input, SearchField } from "react-aria-components/SearchField";
import { Icon } from "~/components/Icon";
import styles from "./BatchesPanel.module.css";

interface FilterFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

/** Escape empties it. */
export function FilterField({ label, value, onChange }: FilterFieldProps) {
  return (
    <SearchField aria-label={label} className={styles.field ?? ""} maxLength={200} onChange={onChange} value={value}>
      <Icon name="search" />
      <Input className={styles.input ?? ""} placeholder={label} />
      <Button aria-label="Clear" className={styles.clear ?? ""}>
        <Icon name="x" size={14} />
      </Button>
    </SearchField>
  );
}
