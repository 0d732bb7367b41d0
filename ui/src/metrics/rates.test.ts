// @vitest-environment node
import { describe, expect, it } from "vitest";
import { batch } from "~/test/samples";
import { ratesOf } from "./rates";

const AT = Date.parse("2026-11-27T00:00:00Z");
const at = (seconds: number) => new Date(AT + seconds * 1000).toISOString();

describe("rows a second", () => {
  it("spread a batch over the time that it took", () => {
    const rates = ratesOf([batch(0, { started_at: at(0), committed_at: at(10) })], AT, AT + 20_000, 4);
    expect(rates?.rowsPerSecond).toEqual([100, 100, 0, 0]);
    expect(rates).toMatchObject({ average: 50, highest: 100, latest: 0 });
  });

  it("lose no row: their sum is what was stored", () => {
    const batches = Array.from({ length: 50 }, (_, index) =>
      batch(index, { started_at: at(index * 0.7), committed_at: at(index * 0.7 + (index % 7)) }),
    );
    const rates = ratesOf(batches, AT, AT + 41_000, 60);
    const sum = (rates?.rowsPerSecond ?? []).reduce((total, rate) => total + (rate * 41) / 60, 0);
    expect(sum).toBeCloseTo(50_000, 3);
  });

  it("go on to the latest commit: what came after the end that was told is no spike in the last span", () => {
    const batches = [0, 5, 10, 15].map((second) =>
      batch(second, { started_at: at(second), committed_at: at(second + 5) }),
    );
    expect(ratesOf(batches, AT, AT + 12_000, 4)?.rowsPerSecond).toEqual([200, 200, 200, 200]);
  });

  it("leave out what was stored before, and what is not stored", () => {
    const batches = [
      batch(0, { started_at: at(-10), committed_at: at(-5) }),
      batch(1, { started_at: at(1), committed_at: null }),
    ];
    expect(ratesOf(batches, AT, AT + 10_000)).toBeNull();
  });

  it("are nothing where no time has passed", () => {
    expect(ratesOf([batch(0, { started_at: at(0), committed_at: at(0) })], AT, AT)).toBeNull();
  });
});
