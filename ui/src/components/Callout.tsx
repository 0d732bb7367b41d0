import type { ReactNode } from "react";
import type { Tone } from "./Badge";
import styles from "./Callout.module.css";
import { classes } from "./classes";
import { Icon, type IconName } from "./Icon";

const ICONS: Readonly<Record<Tone, IconName>> = {
  neutral: "info",
  info: "info",
  success: "checkCircle",
  warning: "alert",
  danger: "xCircle",
};

interface CalloutProps {
  tone?: Tone;
  icon?: IconName;
  title?: string;
  children: ReactNode;
}

export function Callout({ tone = "info", icon, title, children }: CalloutProps) {
  return (
    <div className={classes(styles.callout, styles[tone])}>
      <span className={styles.icon}>
        <Icon name={icon ?? ICONS[tone]} />
      </span>
      <div className={styles.body}>
        {title && <p className={styles.title}>{title}</p>}
        {children}
      </div>
    </div>
  );
}
