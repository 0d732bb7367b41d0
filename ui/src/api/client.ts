import createClient, { type Middleware } from "openapi-fetch";
import { type Problem, ProblemError, ServerGone } from "./problem";
import type { paths } from "./schema";

let csrfToken = "";

/** Of the session; goes with everything but GET. */
export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

const csrf: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET") request.headers.set("X-CSRF-Token", csrfToken);
    return request;
  },
  onError() {
    return new ServerGone();
  },
};

export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  credentials: "same-origin",
  fetch: (request) => globalThis.fetch(request), // looked up at each call, so that a test may stand in for the network
});
client.use(csrf);

/** What openapi-fetch made of a model: it takes a readonly list for an object with a list's methods. */
type Told<T> = T extends { readonly [place: number]: infer Each; readonly length: number }
  ? T extends string
    ? T
    : readonly Told<Each>[]
  : T extends object
    ? { [Key in keyof T]: Told<T[Key]> }
    : T;

/** The data of an answer; a problem is thrown as `ProblemError`. */
export async function answer<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<Told<T>> {
  const { data, error, response } = await request;
  if (response.ok) return data as Told<T>;
  throw new ProblemError(toProblem(error, response));
}

function toProblem(error: unknown, response: Response): Problem {
  if (isProblem(error)) return error;
  // a proxy's own page instead of the API's answer
  return {
    type: "about:blank",
    title: response.statusText || "Unexpected answer",
    status: response.status,
    code: response.status >= 502 ? "server_gone" : "unexpected",
    detail: `The server answered ${response.status} without saying why.`,
    next_step: null,
    fields: {},
  };
}

function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "code" in error && "detail" in error;
}
