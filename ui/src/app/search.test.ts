import { describe, expect, it } from "vitest";
import { parsedSort, parseSearch, stringifySearch, validatedSearch, writtenSort } from "./search";

describe("the part of the URL after ?", () => {
  it("comes back as it was written", () => {
    const search = validatedSearch({
      tab: "validation",
      status: ["failed", "retried"],
      text: "40001, lock",
      sort: "-duration_ms",
      expanded: [3, 17],
    });
    const written = stringifySearch({ ...search });
    expect(written).toContain("status=failed,retried");
    expect(validatedSearch(parseSearch(written))).toEqual(search);
  });

  it("drops what makes no sense", () => {
    expect(
      validatedSearch({ tab: "nonsense", status: "failed,burnt", sort: "password", expanded: "-1,x,2,2", text: "  " }),
    ).toEqual({ status: ["failed"], expanded: [2] });
  });

  it("has no sort where it is the usual one", () => {
    expect(writtenSort({ column: "index", descending: false })).toBeUndefined();
    expect(parsedSort("-duration_ms")).toEqual({ column: "duration_ms", descending: true });
  });
});
