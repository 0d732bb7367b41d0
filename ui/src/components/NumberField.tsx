import {
  NumberField as AriaNumberField,
  type NumberFieldProps as AriaNumberFieldProps,
  Button,
  Input,
} from "react-aria-components/NumberField";
import { classes } from "./classes";
import styles from "./Field.module.css";
import { Icon } from "./Icon";
import { FieldHelp, FieldLabel, type FieldTexts } from "./TextField";

export interface NumberFieldProps extends Omit<AriaNumberFieldProps, "className" | "children">, FieldTexts {}

/** With a stepper; the arrow keys step too. */
export function NumberField({ label, help, error, ...props }: NumberFieldProps) {
  return (
    <AriaNumberField
      {...props}
      className={styles.field ?? ""}
      isInvalid={error !== undefined}
      validationBehavior="aria"
    >
      <FieldLabel isRequired={props.isRequired ?? false}>{label}</FieldLabel>
      <div className={styles.control} data-invalid={error === undefined ? undefined : true}>
        <Input className={styles.input ?? ""} />
        <Button className={classes(styles.addon)} slot="decrement">
          <Icon name="minus" />
        </Button>
        <Button className={classes(styles.addon)} slot="increment">
          <Icon name="plus" />
        </Button>
      </div>
      <FieldHelp error={error} help={help} />
    </AriaNumberField>
  );
}
