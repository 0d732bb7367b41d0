import { type Problem, ProblemError } from "~/api/problem";
import type { Change } from "~/api/types";
import { type EventStream, isFinal, type RunApi } from "./ports";

/**
 * connecting: nothing has come yet. live: events arrive. polling: no event for some seconds, the page asks by itself.
 * unreachable: asking fails, too. ended: the run is over, and the last state was fetched after its end.
 * refused: signed out, no permission or no such run; nothing more is tried.
 */
export type LinkState = "connecting" | "live" | "polling" | "unreachable" | "ended" | "refused";

export interface Link {
  readonly state: LinkState;
  /** When the server was last heard of. */
  readonly heardAt: number | null;
  /** Why the server last refused. */
  readonly problem: Problem | null;
  /** What is wrong with the database, which the server tries again. */
  readonly trouble: string | null;
}

export interface ChannelPatience {
  /** The server pings every two seconds: two of them may be lost. */
  readonly silenceMs: number;
  /** Before the first event, when there is nothing on the screen yet. */
  readonly firstEventMs: number;
  readonly pollMs: number;
  readonly pollMsUnreachable: number;
  /** After the end: another tab, a shell or the orchestrator may take the run up again. */
  readonly endedMs: number;
  /** In a tab that is hidden for long. */
  readonly glanceMs: number;
  /** A hidden tab gives its connection back after this: a browser has six for a server, over all tabs. */
  readonly hiddenMs: number;
  readonly reopenMs: number;
  readonly reopenMsLongest: number;
}

export const PATIENCE: ChannelPatience = {
  silenceMs: 5000,
  firstEventMs: 2500,
  pollMs: 2000,
  pollMsUnreachable: 4000,
  endedMs: 3000,
  glanceMs: 10_000,
  hiddenMs: 30_000,
  reopenMs: 2000,
  reopenMsLongest: 30_000,
};

const CLOSED = 2;

type Timer = ReturnType<typeof setTimeout>;

/**
 * Changes of one run, by events while they arrive and by asking while they do not; it finds its way back by itself.
 * Each change is handed on as it comes: which state is newer is the store's to know.
 */
export class Channel {
  readonly #api: RunApi;
  readonly #onChange: (change: Change) => void;
  readonly #onLink: (link: Link) => void;
  readonly #patience: ChannelPatience;

  #link: Link = { state: "connecting", heardAt: null, problem: null, trouble: null };
  #lastId: string | null = null;
  #stream: EventStream | null = null;
  #isStopped = true;
  #isHidden = false;
  /** Hidden for long: a glance now and then instead of a connection. */
  #isResting = false;
  #reopenMs: number;
  #asking: AbortController | null = null;
  #watchdog: Timer | undefined;
  #asker: Timer | undefined;
  #reopener: Timer | undefined;
  #hider: Timer | undefined;

  constructor(
    api: RunApi,
    onChange: (change: Change) => void,
    onLink: (link: Link) => void,
    patience: ChannelPatience = PATIENCE,
  ) {
    this.#api = api;
    this.#onChange = onChange;
    this.#onLink = onLink;
    this.#patience = patience;
    this.#reopenMs = patience.reopenMs;
  }

  get link(): Link {
    return this.#link;
  }

  start(): void {
    this.#isStopped = false;
    this.#openStream();
  }

  stop(): void {
    this.#isStopped = true;
    this.#letGo();
    clearTimeout(this.#hider);
  }

  /** Something was asked that may have taken the run up again, or the user wants to see the server's answer now. */
  wake(): void {
    if (this.#isStopped || this.#stream) return;
    this.#letGo();
    this.#openStream();
  }

  setHidden(isHidden: boolean): void {
    this.#isHidden = isHidden;
    clearTimeout(this.#hider);
    if (this.#isStopped || this.#link.state === "refused") return;
    if (isHidden) this.#hider = setTimeout(() => this.#rest(), this.#patience.hiddenMs);
    else if (this.#link.state === "ended") this.#askIn(0);
    else this.wake();
  }

  // --- events ------------------------------------------------------------------------------------------------------

  #openStream(): void {
    this.#isResting = false;
    this.#cancelReopening();
    const stream = this.#api.openEvents(this.#lastId);
    this.#stream = stream;
    const on = (type: string, act: (event: MessageEvent<string>) => void) =>
      stream.addEventListener(type, (event) => {
        if (this.#stream === stream) act(event);
      });
    on("change", (event) => this.#takeEvent(event));
    on("ping", () => this.#heardEvent(this.#link.trouble));
    on("trouble", (event) => this.#heardEvent(troubleOf(event)));
    on("end", () => this.#end());
    on("error", () => this.#streamBroke(stream));
    this.#watch(this.#lastId === null ? this.#patience.firstEventMs : this.#patience.silenceMs);
  }

  #takeEvent(event: MessageEvent<string>): void {
    const change = JSON.parse(event.data) as Change;
    this.#lastId = event.lastEventId || change.id;
    this.#heardEvent();
    this.#onChange(change);
  }

  #heardEvent(trouble: string | null = null): void {
    this.#stopAsking();
    this.#reopenMs = this.#patience.reopenMs;
    if (trouble === null) this.#heard("live");
    else this.#tell({ ...this.#link, state: "live", problem: null, trouble });
    this.#watch(this.#patience.silenceMs);
  }

  /** The browser connects again by itself, unless the answer was none that it takes for a stream. */
  #streamBroke(stream: EventStream): void {
    if (stream.readyState === CLOSED) this.#fallSilent();
  }

  #watch(milliseconds: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#fallSilent(), milliseconds);
  }

  #fallSilent(): void {
    this.#closeStream();
    if (this.#link.state !== "unreachable") this.#tell({ ...this.#link, state: "polling" });
    if (!this.#asking) this.#askIn(0);
    this.#reopener = setTimeout(() => this.#openStream(), this.#reopenMs);
    this.#reopenMs = Math.min(this.#reopenMs * 2, this.#patience.reopenMsLongest);
  }

  #closeStream(): void {
    clearTimeout(this.#watchdog);
    this.#cancelReopening();
    this.#stream?.close();
    this.#stream = null;
  }

  #cancelReopening(): void {
    clearTimeout(this.#reopener);
    this.#reopener = undefined;
  }

  // --- asking ------------------------------------------------------------------------------------------------------

  #askIn(milliseconds: number): void {
    clearTimeout(this.#asker);
    this.#asker = setTimeout(() => void this.#ask(), milliseconds);
  }

  async #ask(): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const change = await this.#api.fetchChange(this.#lastId, asking.signal);
      if (!asking.signal.aborted) this.#takeAnswer(change);
    } catch (error) {
      if (!asking.signal.aborted) this.#askingFailed(error);
    } finally {
      if (this.#asking === asking) this.#asking = null;
    }
  }

  #takeAnswer(change: Change): void {
    this.#lastId = change.id;
    this.#onChange(change);
    if (change.is_last) {
      this.#closeStream();
      this.#heard("ended");
      this.#askIn(this.#isHidden ? this.#patience.glanceMs : this.#patience.endedMs);
      return;
    }
    if (this.#isHidden && this.#link.state === "ended") this.#isResting = true;
    this.#heard("polling");
    this.#askIn(this.#isResting ? this.#patience.glanceMs : this.#patience.pollMs);
    if (!this.#isResting && !this.#stream && !this.#reopener) this.#openStream();
  }

  #askingFailed(error: unknown): void {
    const problem = error instanceof ProblemError ? error.problem : null;
    if (isFinal(error)) {
      this.#letGo();
      this.#tell({ ...this.#link, state: "refused", problem });
      return;
    }
    this.#tell({ ...this.#link, state: "unreachable", problem });
    this.#askIn(this.#patience.pollMsUnreachable);
  }

  #stopAsking(): void {
    clearTimeout(this.#asker);
    this.#asking?.abort();
    this.#asking = null;
  }

  // --- ends and rests ----------------------------------------------------------------------------------------------

  /** What changed between the last event and the end is fetched once more. */
  #end(): void {
    this.#closeStream();
    this.#askIn(0);
  }

  #rest(): void {
    if (this.#link.state === "ended") return;
    this.#closeStream();
    this.#isResting = true;
    this.#askIn(this.#patience.glanceMs);
  }

  #letGo(): void {
    this.#closeStream();
    this.#stopAsking();
  }

  #heard(state: LinkState): void {
    this.#tell({ state, heardAt: Date.now(), problem: null, trouble: null });
  }

  #tell(link: Link): void {
    this.#link = link;
    this.#onLink(link);
  }
}

function troubleOf(event: MessageEvent<string>): string {
  return (JSON.parse(event.data) as { detail: string }).detail;
}
