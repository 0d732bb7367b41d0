import { ToggleButton, ToggleButtonGroup } from "react-aria-components/ToggleButtonGroup";
import { chooseTheme, THEMES, type Theme, useTheme } from "~/theme/theme";
import { Icon, type IconName } from "./Icon";
import styles from "./ThemeToggle.module.css";
import { Tip } from "./Tooltip";

const LOOKS: Readonly<Record<Theme, { icon: IconName; text: string }>> = {
  system: { icon: "monitor", text: "Theme of the system" },
  light: { icon: "sun", text: "Light theme" },
  dark: { icon: "moon", text: "Dark theme" },
};

export function ThemeToggle() {
  const theme = useTheme();
  return (
    <ToggleButtonGroup
      aria-label="Theme"
      className={styles.group ?? ""}
      disallowEmptySelection
      onSelectionChange={(keys) => {
        const chosen = THEMES.find((each) => keys.has(each));
        if (chosen) chooseTheme(chosen);
      }}
      selectedKeys={[theme]}
      selectionMode="single"
    >
      {THEMES.map((each) => (
        <Tip key={each} text={LOOKS[each].text}>
          <ToggleButton aria-label={LOOKS[each].text} className={styles.option ?? ""} id={each}>
            <Icon name={LOOKS[each].icon} />
          </ToggleButton>
        </Tip>
      ))}
    </ToggleButtonGroup>
  );
}
