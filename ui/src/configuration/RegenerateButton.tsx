import { Button } from "react-aria-components/Button";
import field from "~/components/Field.module.css";
import { Icon } from "~/components/Icon";
import { Tip } from "~/components/Tooltip";

export function RegenerateButton({ isDisabled, onPress }: { isDisabled: boolean; onPress: () => void }) {
  return (
    <Tip text="Make up another">
      <Button
        aria-label="Make up another run id"
        className={field.addon ?? ""}
        isDisabled={isDisabled}
        onPress={onPress}
      >
        <Icon name="refresh" />
      </Button>
    </Tip>
  );
}
