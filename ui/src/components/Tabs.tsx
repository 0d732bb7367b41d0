import type { ReactNode } from "react";
import { Tabs as AriaTabs, Tab, TabList, TabPanel } from "react-aria-components/Tabs";
import { classes } from "./classes";
import styles from "./Tabs.module.css";

export interface TabItem<T extends string> {
  id: T;
  title: string;
  /** After the title, small: how many. */
  count?: string | undefined;
  isAlarming?: boolean;
  content: ReactNode;
}

interface TabsProps<T extends string> {
  label: string;
  selected: T;
  onSelect: (tab: T) => void;
  tabs: readonly TabItem<T>[];
}

export function Tabs<T extends string>({ label, selected, onSelect, tabs }: TabsProps<T>) {
  return (
    <AriaTabs className={styles.tabs ?? ""} onSelectionChange={(key) => onSelect(key as T)} selectedKey={selected}>
      <TabList aria-label={label} className={styles.list ?? ""}>
        {tabs.map(({ id, title, count, isAlarming }) => (
          <Tab className={styles.tab ?? ""} id={id} key={id}>
            {title}
            {count !== undefined && (
              <span className={classes(styles.count, isAlarming && styles.alarming)}>{count}</span>
            )}
          </Tab>
        ))}
      </TabList>
      {tabs.map(({ id, title, content }) => (
        <TabPanel className={styles.panel ?? ""} id={id} key={id}>
          <h2 className="visually-hidden">{title}</h2>
          {content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}
