import { UNSTABLE_ToastQueue as ToastQueue } from "react-aria-components/Toast";
import { forget, type ToastContent, type Told } from "./toasts";

const SHOWN_MILLISECONDS = 6000;
const MOST_VISIBLE = 4;

/** A toast whose words may change while it is shown: the queue takes them as they are given, once. */
export class ShownToast {
  #content: ToastContent;
  readonly #listeners = new Set<() => void>();

  constructor(content: ToastContent) {
    this.#content = content;
  }

  readonly read = (): ToastContent => this.#content;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  write(content: ToastContent): void {
    this.#content = content;
    for (const listener of this.#listeners) listener();
  }
}

/** One toast for each topic. Failures stay until they are closed; everything else leaves by itself. */
export class ShownToasts {
  readonly queue = new ToastQueue<ShownToast>({ maxVisibleToasts: MOST_VISIBLE });
  readonly #byTopic = new Map<string, { readonly key: string; readonly toast: ShownToast }>();
  readonly #isHeld: () => boolean;

  /** `isHeld`: the pointer or the focus is there, and the time of all of them stands still. */
  constructor(isHeld: () => boolean = () => false) {
    this.#isHeld = isHeld;
  }

  take({ topic, content }: Told): void {
    const shown = this.#byTopic.get(topic);
    if (shown && content && stays(content) === stays(shown.toast.read())) {
      shown.toast.write(content);
      this.#showLonger(shown.key);
      return;
    }
    this.#byTopic.delete(topic);
    if (shown) this.queue.close(shown.key);
    if (content) this.#add(topic, content);
  }

  #add(topic: string, content: ToastContent): void {
    const toast = new ShownToast(content);
    const onClose = () => {
      if (this.#byTopic.get(topic)?.toast !== toast) return; // another one of its topic stands there
      this.#byTopic.delete(topic);
      forget(topic);
    };
    const key = this.queue.add(toast, stays(content) ? { onClose } : { onClose, timeout: SHOWN_MILLISECONDS });
    this.#byTopic.set(topic, { key, toast });
  }

  #showLonger(key: string): void {
    if (this.#isHeld()) return;
    const timer = this.queue.visibleToasts.find((toast) => toast.key === key)?.timer;
    timer?.pause();
    timer?.reset(SHOWN_MILLISECONDS);
  }
}

function stays(content: ToastContent): boolean {
  return content.tone === "danger";
}
