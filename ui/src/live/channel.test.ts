import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ProblemError } from "~/api/problem";
import type { Change } from "~/api/types";
import { change } from "~/test/samples";
import { TestStream } from "~/test/stream";
import { Channel, type Link, PATIENCE } from "./channel";
import type { RunApi } from "./ports";

let streams: TestStream[];
let asked: (string | null)[];
let taken: Change[];
let links: Link[];
let reply: () => Promise<Change>;
let channel: Channel;

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  asked = [];
  taken = [];
  links = [];
  reply = () => Promise.reject(new Error("nobody asked for an answer here"));
  const api: RunApi = {
    openEvents: (lastId) => {
      const stream = new TestStream(lastId);
      streams.push(stream);
      return stream;
    },
    fetchChange: (since) => {
      asked.push(since);
      return reply();
    },
    fetchPage: () => Promise.reject(new Error("the channel loads no pages")),
  };
  channel = new Channel(
    api,
    (each) => taken.push(each),
    (link) => links.push(link),
  );
  channel.start();
});

afterEach(() => {
  channel.stop();
  expect(vi.getTimerCount()).toBe(0); // nothing goes on after a stop
  vi.useRealTimers();
});

const wait = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const stream = () => streams.at(-1) as TestStream;

describe("while events arrive", () => {
  it("hands on each change, and asks nothing", async () => {
    stream().send("change", change("7"), "7");
    for (let pings = 0; pings < 10; pings += 1) {
      await wait(2000);
      stream().send("ping", {});
    }
    expect(taken.map(({ id }) => id)).toEqual(["7"]);
    expect(channel.link.state).toBe("live");
    expect(asked).toEqual([]);
    expect(streams).toHaveLength(1);
  });

  it("tells of a database out of reach until the next change, pings or not", async () => {
    stream().send("change", change("7"), "7");
    const heardAt = channel.link.heardAt;
    await wait(1000);
    stream().send("trouble", { detail: "connection refused" });
    stream().send("ping", {});
    expect(channel.link).toEqual({ state: "live", heardAt, problem: null, trouble: "connection refused" });
    stream().send("change", change("8"), "8");
    expect(channel.link.trouble).toBeNull();
  });

  it("leaves a lost connection to the browser, for as long as it is soon back", async () => {
    stream().send("change", change("7"), "7");
    stream().break(false);
    await wait(3000);
    stream().send("ping", {});
    expect(streams).toHaveLength(1);
    expect(asked).toEqual([]);
  });

  it("does not hear a stream that it has closed", async () => {
    const first = stream();
    reply = () => Promise.resolve(change("8"));
    await wait(PATIENCE.firstEventMs);
    first.send("change", change("9"), "9");
    expect(taken.map(({ id }) => id)).not.toContain("9");
  });
});

describe("when no event arrives", () => {
  it("asks every two seconds since the last id, and goes back to events by itself", async () => {
    stream().send("change", change("7"), "7");
    let id = 7;
    reply = () => {
      id += 1;
      return Promise.resolve(change(String(id)));
    };
    await wait(PATIENCE.silenceMs);
    await wait(10);
    expect(channel.link.state).toBe("polling");
    expect(asked).toEqual(["7"]);
    expect(streams[0]?.isClosed).toBe(true);
    await wait(PATIENCE.pollMs);
    expect(asked).toEqual(["7", "8"]);

    expect(streams).toHaveLength(2);
    expect(stream().lastId).toBe("8");
    stream().send("ping", {});
    expect(channel.link.state).toBe("live");
    const askedBefore = asked.length;
    await wait(PATIENCE.pollMs * 2);
    expect(asked).toHaveLength(askedBefore);
  });

  it("asks for everything where not even the first event came", async () => {
    reply = () => Promise.resolve(change("3"));
    await wait(PATIENCE.firstEventMs);
    await wait(10);
    expect(asked).toEqual([null]);
    expect(taken.map(({ id }) => id)).toEqual(["3"]);
  });

  it("tries events again after longer and longer pauses", async () => {
    reply = () => Promise.resolve(change("3"));
    await wait(PATIENCE.firstEventMs);
    const opened: number[] = [];
    for (let tries = 0; tries < 120; tries += 1) {
      const before = streams.length;
      await wait(1000);
      if (streams.length > before) opened.push(tries);
      if (!stream().isClosed) stream().break(true);
    }
    const pauses = opened.slice(1).map((at, place) => at - (opened[place] as number));
    expect(pauses).toEqual([...pauses].sort((one, other) => one - other));
    expect(pauses.at(-1)).toBe(PATIENCE.reopenMsLongest / 1000);
  });

  it("is unreachable while asking fails, and says no more than that once it works again", async () => {
    stream().send("change", change("7"), "7");
    reply = () => Promise.reject(new TypeError("fetch failed"));
    stream().break(true);
    await wait(10);
    expect(channel.link).toMatchObject({ state: "unreachable", problem: null });
    reply = () => Promise.resolve(change("8"));
    await wait(PATIENCE.pollMsUnreachable);
    expect(channel.link.state).toBe("polling");
    expect(taken.map(({ id }) => id)).toEqual(["7", "8"]);
  });

  it("stops at a refusal, and says why", async () => {
    const problem = { type: "about:blank", title: "No such run", status: 404, code: "unknown_run", detail: "…" };
    reply = () => Promise.reject(new ProblemError({ ...problem, next_step: null, fields: {} }));
    stream().break(true);
    await wait(60_000);
    expect(channel.link).toMatchObject({ state: "refused", problem: { code: "unknown_run" } });
    expect(asked).toHaveLength(1);
    expect(streams).toHaveLength(1);
  });
});

describe("after the end", () => {
  it("fetches the last state, and looks every few seconds whether anybody took the run up again", async () => {
    stream().send("change", change("7"), "7");
    reply = () => Promise.resolve(change("8", { is_last: true }));
    stream().send("end", {});
    expect(stream().isClosed).toBe(true);
    await wait(10);
    expect(asked).toEqual(["7"]);
    expect(channel.link.state).toBe("ended");
    await wait(PATIENCE.endedMs);
    expect(asked).toEqual(["7", "8"]);
    expect(streams).toHaveLength(1);

    reply = () => Promise.resolve(change("9"));
    await wait(PATIENCE.endedMs);
    expect(streams).toHaveLength(2);
    expect(stream().lastId).toBe("9");
    stream().send("ping", {});
    expect(channel.link.state).toBe("live");
  });

  it("looks seldom while hidden, and at once when it is seen again", async () => {
    stream().send("change", change("7"), "7");
    reply = () => Promise.resolve(change("8", { is_last: true }));
    channel.setHidden(true);
    stream().send("end", {});
    await wait(10);
    expect(asked).toEqual(["7"]);
    await wait(PATIENCE.endedMs * 2);
    expect(asked).toEqual(["7"]);
    await wait(PATIENCE.glanceMs - PATIENCE.endedMs * 2);
    expect(asked).toEqual(["7", "8"]);
    channel.setHidden(false);
    await wait(10);
    expect(asked).toEqual(["7", "8", "8"]);
    await wait(PATIENCE.endedMs);
    expect(asked).toHaveLength(4);
  });

  it("asks again when the last state did not come", async () => {
    stream().send("change", change("7"), "7");
    reply = () => Promise.reject(new TypeError("fetch failed"));
    stream().send("end", {});
    await wait(10);
    expect(channel.link.state).toBe("unreachable");
    reply = () => Promise.resolve(change("8", { is_last: true }));
    await wait(PATIENCE.pollMsUnreachable);
    expect(channel.link.state).toBe("ended");
  });

  it("opens events at once when it is woken", async () => {
    stream().send("change", change("7"), "7");
    reply = () => Promise.resolve(change("8", { is_last: true }));
    stream().send("end", {});
    await wait(10);
    channel.wake();
    expect(stream().lastId).toBe("8");
    expect(streams).toHaveLength(2);
  });
});

describe("in a hidden tab", () => {
  it("gives the connection back after a while, glances, and returns with the tab", async () => {
    stream().send("change", change("7"), "7");
    channel.setHidden(true);
    for (let pings = 0; pings < PATIENCE.hiddenMs / 2000; pings += 1) {
      stream().send("ping", {});
      await wait(2000);
    }
    expect(stream().isClosed).toBe(true);
    reply = () => Promise.resolve(change("8"));
    await wait(PATIENCE.glanceMs * 2);
    expect(asked).toEqual(["7", "8"]);
    expect(streams).toHaveLength(1);

    channel.setHidden(false);
    expect(streams).toHaveLength(2);
    expect(stream().lastId).toBe("8");
  });

  it("keeps the connection when the tab is soon back", async () => {
    stream().send("change", change("7"), "7");
    channel.setHidden(true);
    await wait(1000);
    channel.setHidden(false);
    for (let pings = 0; pings < 30; pings += 1) {
      stream().send("ping", {});
      await wait(2000);
    }
    expect(streams).toHaveLength(1);
    expect(stream().isClosed).toBe(false);
  });
});
