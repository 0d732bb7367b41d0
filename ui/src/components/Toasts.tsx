import { useEffect, useSyncExternalStore } from "react";
import {
  Button as AriaButton,
  type QueuedToast,
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContentArea,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components/Toast";
import type { Tone } from "./Badge";
import { Button } from "./Button";
import { classes } from "./classes";
import { Icon, type IconName } from "./Icon";
import { type ShownToast, ShownToasts } from "./shown-toasts";
import styles from "./Toasts.module.css";
import { subscribe, takeTold } from "./toasts";

const ICONS: Readonly<Record<Tone, IconName>> = {
  neutral: "info",
  info: "play",
  success: "checkCircle",
  warning: "refresh",
  danger: "xCircle",
};

const shown = new ShownToasts(() => document.querySelector(`.${styles.region}:is(:hover, :focus-within)`) !== null);

function show(): void {
  for (const news of takeTold()) shown.take(news);
}

/** Once in the page. F6 moves the focus here. What is said aloud is said by `announce`, hence no role `alert`. */
export function Toasts() {
  useEffect(() => {
    show();
    return subscribe(show);
  }, []);
  return (
    <ToastRegion aria-label="Notifications" className={styles.region ?? ""} queue={shown.queue}>
      {({ toast }) => <Shown toast={toast} />}
    </ToastRegion>
  );
}

function Shown({ toast }: { toast: QueuedToast<ShownToast> }) {
  const content = useSyncExternalStore(toast.content.subscribe, toast.content.read);
  return (
    <Toast className={classes(styles.toast, styles[content.tone])} toast={toast}>
      <span className={styles.icon}>
        <Icon name={ICONS[content.tone]} size={18} />
      </span>
      <ToastContentArea className={styles.content ?? ""} role="group">
        <Text className={styles.title ?? ""} slot="title">
          {content.title}
        </Text>
        {content.description && (
          <Text className={styles.description ?? ""} slot="description">
            {content.description}
          </Text>
        )}
        {content.action && (
          <Button isSmall onPress={content.action.onPress}>
            {content.action.text}
          </Button>
        )}
      </ToastContentArea>
      <AriaButton aria-label="Close" className={styles.close ?? ""} slot="close">
        <Icon name="x" />
      </AriaButton>
    </Toast>
  );
}
