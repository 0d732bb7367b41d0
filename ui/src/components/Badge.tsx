import styles from "./Badge.module.css";
import { classes } from "./classes";
import { Icon, type IconName } from "./Icon";

export type Tone = "neutral" | "info" | "success" | "warning" | "danger";

export interface BadgeProps {
  children: string;
  tone?: Tone;
  icon: IconName;
  isSpinning?: boolean;
  isLarge?: boolean;
}

/** A state, by icon and text: never by colour alone. */
export function Badge({ tone = "neutral", icon, isSpinning = false, isLarge = false, children }: BadgeProps) {
  return (
    <span className={classes(styles.badge, styles[tone], isLarge && styles.large)}>
      <Icon isSpinning={isSpinning} name={icon} size={isLarge ? 16 : 14} />
      {children}
    </span>
  );
}
