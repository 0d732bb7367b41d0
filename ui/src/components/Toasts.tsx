import {
  Button as AriaButton,
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContentArea,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components/Toast";
import type { Tone } from "./Badge";
import { Button } from "./Button";
import { classes } from "./classes";
import { Icon, type IconName } from "./Icon";
import styles from "./Toasts.module.css";
import { toastQueue } from "./toasts";

const ICONS: Readonly<Record<Tone, IconName>> = {
  neutral: "info",
  info: "play",
  success: "checkCircle",
  warning: "refresh",
  danger: "xCircle",
};

/** Once in the page. F6 moves the focus here. */
export function Toasts() {
  return (
    <ToastRegion aria-label="Notifications" className={styles.region ?? ""} queue={toastQueue}>
      {({ toast }) => (
        <Toast className={classes(styles.toast, styles[toast.content.tone])} toast={toast}>
          <span className={styles.icon}>
            <Icon name={ICONS[toast.content.tone]} size={18} />
          </span>
          <ToastContentArea className={styles.content ?? ""}>
            <Text className={styles.title ?? ""} slot="title">
              {toast.content.title}
            </Text>
            {toast.content.description && (
              <Text className={styles.description ?? ""} slot="description">
                {toast.content.description}
              </Text>
            )}
            {toast.content.action && (
              <Button isSmall onPress={toast.content.action.onPress}>
                {toast.content.action.text}
              </Button>
            )}
          </ToastContentArea>
          <AriaButton aria-label="Close" className={styles.close ?? ""} slot="close">
            <Icon name="x" />
          </AriaButton>
        </Toast>
      )}
    </ToastRegion>
  );
}
