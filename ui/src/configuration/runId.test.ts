import { describe, expect, it } from "vitest";
import { newRunId, runIdFault } from "./runId";

describe("the id of a run", () => {
  it("is made up as the command makes it up, in UTC", () => {
    expect(newRunId("orders", new Date("2026-11-27T00:15:30.999Z"))).toMatch(/^orders-20261127-001530-[0-9a-f]{6}$/);
  });

  it("fits whatever the job's name", () => {
    const made = newRunId("x".repeat(200));
    expect(runIdFault(made)).toBeUndefined();
    expect(made).toHaveLength(128);
  });

  it.each(["a", "orders-1", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "A_b-9"])("may be %s", (id) => {
    expect(runIdFault(id)).toBeUndefined();
  });

  it.each([
    ["", "needs an id"],
    ["-a", "begins with a letter"],
    ["a b", "found a space"],
    ["a/b", "found “/”"],
    ["ä", "begins with a letter"],
    ["a".repeat(129), "At most 128"],
  ])("may not be %j", (id, told) => {
    expect(runIdFault(id)).toContain(told);
  });
});
