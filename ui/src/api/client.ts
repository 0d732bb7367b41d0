import createClient, { type Middleware } from "openapi-fetch";
import { isAttended } from "~/session/attendance";
import { type Problem, ProblemError, ServerGone } from "./problem";
import type { paths } from "./schema";

let csrfToken = "";

/** Of the session; goes with everything but GET. */
export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

/** Who keeps what is known of the session; the page's query client does. */
export interface SessionKeeper {
  /** Asks for the session anew. True: it is still the same user's, or still nobody's. */
  renew(): Promise<boolean>;
  /** The session has ended, whoever was told so. */
  noticeEnd(): void;
}

let keeper: SessionKeeper = { renew: async () => false, noticeEnd: () => undefined };

export function keepSession(by: SessionKeeper): void {
  keeper = by;
}

/**
 * The cookie, and with it the token that is asked for, may have gone or have become another one since the page was
 * opened: by its age, or by signing out or in in another tab. Then the session is asked for, and the same is sent once
 * more; nothing was done by what was refused.
 */
async function send(request: Request): Promise<Response> {
  const isChange = request.method !== "GET";
  const again = isChange ? request.clone() : request;
  const response = await sendOnce(request);
  const code = response.status === 401 || response.status === 403 ? await codeOf(response) : null;
  if (code === "not_signed_in") keeper.noticeEnd();
  if (code === "forged_request" && isChange && (await keeper.renew())) return sendOnce(again);
  return response;
}

function sendOnce(request: Request): Promise<Response> {
  if (request.method !== "GET") request.headers.set("X-CSRF-Token", csrfToken);
  if (!isAttended()) request.headers.set("X-Unattended", "1");
  return globalThis.fetch(request); // looked up at each call, so that a test may stand in for the network
}

async function codeOf(response: Response): Promise<unknown> {
  const problem: unknown = await response
    .clone()
    .json()
    .catch(() => null); // a proxy's own page
  return isProblem(problem) ? problem.code : null;
}

const noAnswer: Middleware = {
  onError() {
    return new ServerGone();
  },
};

export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "",
  credentials: "same-origin",
  fetch: send,
});
client.use(noAnswer);

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
