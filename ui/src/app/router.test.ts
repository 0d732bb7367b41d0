import { createMemoryHistory } from "@tanstack/react-router";
import { expect, it } from "vitest";
import { newRouter } from "./router";

const PATH = "/etl/data-loader/orders/orders-1";

async function searchOf(written: string) {
  const router = newRouter(createMemoryHistory({ initialEntries: [`${PATH}${written}`] }));
  await router.load();
  return router.state.matches.at(-1)?.search;
}

it("keeps what makes sense of a link", async () => {
  expect(await searchOf("?tab=history&status=failed&expanded=3,17")).toEqual({
    tab: "history",
    status: ["failed"],
    expanded: [3, 17],
  });
});

it("shows no page what makes none", async () => {
  expect(await searchOf("?tab=none&status=lost&sort=-nothing&expanded=-1,x&text=%20")).toEqual({});
});
