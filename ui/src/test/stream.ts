import type { EventStream } from "~/live/ports";

/** An EventSource whose events a test sends. */
export class TestStream implements EventStream {
  readyState = 0;
  readonly #listeners = new Map<string, ((event: MessageEvent<string>) => void)[]>();

  constructor(readonly lastId: string | null) {}

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  close(): void {
    this.readyState = 2;
  }

  get isClosed(): boolean {
    return this.readyState === 2;
  }

  send(type: string, data: unknown = null, lastEventId = ""): void {
    this.readyState = 1;
    this.#emit(type, data, lastEventId);
  }

  /** `isFinal`: the browser will not connect again. */
  break(isFinal: boolean): void {
    this.readyState = isFinal ? 2 : 0;
    this.#emit("error", null, "");
  }

  #emit(type: string, data: unknown, lastEventId: string): void {
    const event = new MessageEvent<string>(type, { data: JSON.stringify(data), lastEventId });
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }
}
