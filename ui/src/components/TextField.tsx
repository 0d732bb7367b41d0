import type { ReactNode } from "react";
import {
  TextField as AriaTextField,
  type TextFieldProps as AriaTextFieldProps,
  FieldError,
  Input,
  Label,
  Text,
} from "react-aria-components/TextField";
import { classes } from "./classes";
import styles from "./Field.module.css";
import { Icon } from "./Icon";

export interface FieldTexts {
  label: string;
  help?: ReactNode;
  /** What is wrong and what to do; shown instead of `help`. */
  error?: string | undefined;
}

export interface TextFieldProps extends Omit<AriaTextFieldProps, "className" | "children">, FieldTexts {
  placeholder?: string;
  isMono?: boolean;
  /** Buttons at the end of the field. */
  addon?: ReactNode;
}

export function TextField({ label, help, error, placeholder, isMono = false, addon, ...props }: TextFieldProps) {
  return (
    <AriaTextField {...props} className={styles.field ?? ""} isInvalid={error !== undefined} validationBehavior="aria">
      <FieldLabel isRequired={props.isRequired ?? false}>{label}</FieldLabel>
      <div className={styles.control} data-invalid={error === undefined ? undefined : true}>
        <Input className={classes(styles.input, isMono && styles.mono)} {...(placeholder && { placeholder })} />
        {addon}
      </div>
      <FieldHelp error={error} help={help} />
    </AriaTextField>
  );
}

export function FieldLabel({ children, isRequired }: { children: string; isRequired: boolean }) {
  return (
    <Label className={styles.label ?? ""}>
      {children}
      {isRequired && <span className={styles.required}>required</span>}
    </Label>
  );
}

export function FieldHelp({ error, help }: { error: string | undefined; help: ReactNode }) {
  if (error !== undefined)
    return (
      <FieldError className={styles.error ?? ""}>
        <Icon name="alert" />
        {error}
      </FieldError>
    );
  return help ? (
    <Text className={styles.help ?? ""} slot="description">
      {help}
    </Text>
  ) : null;
}
