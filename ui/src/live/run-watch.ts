import type { Change } from "~/api/types";
import { Channel, type ChannelPatience, type Link, PATIENCE } from "./channel";
import { isFinal, type RunApi } from "./ports";
import { RunStore } from "./run-store";

/** The first page is small, so that rows are on the screen at once. */
const FIRST_PAGE = 1000;
const LATER_PAGE = 5000;
const PAGE_RETRY_MS = 2000;

/**
 * Watches one run: its events first, then, as of their first id, the pages of its batches. Whatever arrives twice or
 * out of order, the store keeps the newest.
 */
export class RunWatch {
  readonly store = new RunStore();
  readonly #api: RunApi;
  readonly #channel: Channel;
  readonly #linkListeners = new Set<() => void>();
  #loading: AbortController | null = null;
  #recounts = 0;

  constructor(api: RunApi, patience: ChannelPatience = PATIENCE) {
    this.#api = api;
    this.#channel = new Channel(
      api,
      (change) => this.#take(change),
      () => this.#tellLink(),
      patience,
    );
  }

  readonly link = (): Link => this.#channel.link;

  readonly subscribeLink = (listener: () => void): (() => void) => {
    this.#linkListeners.add(listener);
    return () => this.#linkListeners.delete(listener);
  };

  /** Returns what ends the watch. */
  start(): () => void {
    const seeHidden = () => this.#channel.setHidden(document.hidden);
    document.addEventListener("visibilitychange", seeHidden);
    this.#channel.start();
    return () => {
      document.removeEventListener("visibilitychange", seeHidden);
      this.#channel.stop();
      this.#loading?.abort();
      this.#loading = null;
      this.store.stop();
    };
  }

  /** After a retry or a cancel, and for "Try again". */
  wake(): void {
    this.#channel.wake();
  }

  #take(change: Change): void {
    this.store.take(change);
    if (change.is_complete) this.#loading?.abort(); // all batches come with it, or right after it
    if (change.is_complete) this.store.complete();
    else if (this.store.isComplete()) {
      if (change.is_last) this.#recount(change);
    } else if (!this.#loading) {
      void this.#loadPages();
    }
  }

  async #loadPages(): Promise<void> {
    const loading = new AbortController();
    this.#loading = loading;
    let after: number | null = null;
    let limit = FIRST_PAGE;
    while (!loading.signal.aborted) {
      try {
        const page = await this.#api.fetchPage(after, limit, loading.signal);
        if (loading.signal.aborted) return;
        this.store.offer(null, page.batches);
        after = page.next_after;
        limit = LATER_PAGE;
        if (after === null) break;
      } catch (error) {
        if (loading.signal.aborted || isFinal(error)) return;
        await new Promise((resolve) => setTimeout(resolve, PAGE_RETRY_MS));
      }
    }
    if (!loading.signal.aborted) this.store.complete();
  }

  /** After the end nothing may be missing: the run says how many batches it has. Asked for once more, never in a loop. */
  #recount(change: Change): void {
    this.store.flush();
    if (this.store.size >= change.run.metrics.batches_total || this.#recounts >= 1) return;
    this.#recounts += 1;
    void this.#loadPages();
  }

  #tellLink(): void {
    for (const listener of [...this.#linkListeners]) listener();
  }
}
