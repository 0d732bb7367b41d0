import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components/Button";
import styles from "./Button.module.css";
import { classes } from "./classes";
import { Icon, type IconName } from "./Icon";
import { Tip } from "./Tooltip";

export type ButtonTone = "primary" | "secondary" | "quiet" | "danger";

export interface ButtonProps extends Omit<AriaButtonProps, "className" | "children"> {
  children: string;
  tone?: ButtonTone;
  icon?: IconName;
  isSmall?: boolean;
}

export function Button({ tone = "secondary", icon, isSmall = false, children, ...props }: ButtonProps) {
  return (
    <AriaButton {...props} className={classes(styles.button, styles[tone], isSmall && styles.small)}>
      {props.isPending ? <Icon isSpinning name="loader" /> : icon && <Icon name={icon} />}
      <span>{children}</span>
    </AriaButton>
  );
}

export interface IconButtonProps extends Omit<AriaButtonProps, "className" | "children" | "aria-label"> {
  label: string;
  icon: IconName;
  isSmall?: boolean;
}

/** `label` is read out, and shown as a tooltip. */
export function IconButton({ label, icon, isSmall = false, ...props }: IconButtonProps) {
  return (
    <Tip text={label}>
      <AriaButton
        {...props}
        aria-label={label}
        className={classes(styles.button, styles.quiet, styles.square, isSmall && styles.small)}
      >
        <Icon name={icon} />
      </AriaButton>
    </Tip>
  );
}
