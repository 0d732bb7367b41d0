/**
 * Calls `work` once on the next animation frame, however often it is asked before. A hidden tab draws no frames; there
 * a slow timer takes their place, so that what came in does not pile up.
 */
export class FrameBatch {
  readonly #work: () => void;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(work: () => void) {
    this.#work = work;
  }

  request(): void {
    if (this.#timer !== undefined) return;
    this.#frame = requestAnimationFrame(() => this.#run());
    this.#timer = setTimeout(() => this.#run(), HIDDEN_TAB_MS);
  }

  cancel(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    this.cancel();
    this.#work();
  }
}

const HIDDEN_TAB_MS = 500;
