import { useEffect } from "react";
import {
  Button as AriaButton,
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContentArea,
  UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components/Toast";
import type { Tone } from "./Badge";
import { Button } from "./Button";
import { classes } from "./classes";
import { Icon, type IconName } from "./Icon";
import styles from "./Toasts.module.css";
import { subscribe, type ToastContent, takeTold } from "./toasts";

const ICONS: Readonly<Record<Tone, IconName>> = {
  neutral: "info",
  info: "play",
  success: "checkCircle",
  warning: "refresh",
  danger: "xCircle",
};

const SHOWN_MILLISECONDS = 6000;
const MOST_VISIBLE = 4;

const queue = new ToastQueue<ToastContent>({ maxVisibleToasts: MOST_VISIBLE });

/** Failures stay until they are closed; everything else leaves by itself. */
function show(): void {
  for (const content of takeTold())
    queue.add(content, content.tone === "danger" ? {} : { timeout: SHOWN_MILLISECONDS });
}

/** Once in the page. F6 moves the focus here. What is said aloud is said by `announce`, hence no role `alert`. */
export function Toasts() {
  useEffect(() => {
    show();
    return subscribe(show);
  }, []);
  return (
    <ToastRegion aria-label="Notifications" className={styles.region ?? ""} queue={queue}>
      {({ toast }) => (
        <Toast className={classes(styles.toast, styles[toast.content.tone])} toast={toast}>
          <span className={styles.icon}>
            <Icon name={ICONS[toast.content.tone]} size={18} />
          </span>
          <ToastContentArea className={styles.content ?? ""} role="group">
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
