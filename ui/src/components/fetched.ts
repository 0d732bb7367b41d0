import { type ComponentType, type LazyExoticComponent, lazy } from "react";

const AGAIN_MILLISECONDS = 3000;
const KEY = "ownlens-etl.reloaded-from";

/** Parts of this page are no longer served, and a reload has not helped. */
export class PageUpdated extends Error {
  override readonly name = "PageUpdated";

  constructor(cause: unknown) {
    super("A part of the page could not be fetched: the server has another build of it than this tab.", { cause });
  }
}

/** A component that is fetched when it is first drawn. */
export function fetched<Props>(load: () => Promise<ComponentType<Props>>): LazyExoticComponent<ComponentType<Props>> {
  return lazy(async () => ({ default: await fetchRoom(load) }));
}

/**
 * What `load` imports. `lazy` and the browser keep a failure for good, hence it is none before nothing else can be done:
 * while the server is away it is waited for; where it is there and has not the file, because the page was built anew,
 * the page is loaded again, once for each build.
 */
export async function fetchRoom<Room>(load: () => Promise<Room>): Promise<Room> {
  for (;;) {
    try {
      return await load();
    } catch (error) {
      if (!isOfTheNetwork(error)) throw error;
      if (await isServed()) return await afterUpdate(load);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
  }
}

/** The server may have come back between the two questions: the file is asked for once more. */
async function afterUpdate<Room>(load: () => Promise<Room>): Promise<Room> {
  try {
    return await load();
  } catch (error) {
    if (!isOfTheNetwork(error)) throw error;
    if (!mayReload()) throw new PageUpdated(error);
    location.reload();
    return await new Promise<never>(() => undefined); // what stands there while it is fetched stays until the page goes
  }
}

/** What browsers throw where a module cannot be fetched; a module that throws another error while it begins is there. */
function isOfTheNetwork(error: unknown): boolean {
  return error instanceof TypeError;
}

async function isServed(): Promise<boolean> {
  const index = new Request(new URL("/etl/data-loader", location.href), { method: "HEAD", cache: "no-store" });
  return await fetch(index).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Once for each build: a reload that brings the same one again would bring the same failure. */
function mayReload(): boolean {
  const build = document.querySelector<HTMLScriptElement>('script[type="module"][src]')?.src ?? "";
  try {
    if (sessionStorage.getItem(KEY) === build) return false;
    sessionStorage.setItem(KEY, build);
    return true;
  } catch {
    return false; // storage is forbidden: nobody could tell the second time from the first
  }
}
