import { expect, it } from "vitest";
import { batchSizeFault, batchSizeHelp } from "./batchSize";

it.each([100, 1234, 10_000])("takes a batch of %d rows", (rows) => {
  expect(batchSizeFault(rows)).toBeUndefined();
});

it.each([99, 10_001, 100.5, Number.NaN])("says why a batch is none of %d rows", (rows) => {
  expect(batchSizeFault(rows)).toBeTruthy();
});

it("names the variable, and where the usual size comes from", () => {
  expect(batchSizeHelp(null, null)).toBe("Env: ETL_BATCH_SIZE");
  expect(batchSizeHelp(2500, "environment")).toContain("from the environment");
});
