import type { components } from "./schema";

export type Problem = components["schemas"]["Problem"];

/** The API refused, and said why. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";

  constructor(readonly problem: Problem) {
    super(problem.detail);
  }

  get code(): string {
    return this.problem.code;
  }
}

/** No answer: the server is down, restarting, or the network is. */
export class ServerGone extends Error {
  override readonly name = "ServerGone";

  constructor() {
    super("The server does not answer.");
  }
}

export function problemCode(error: unknown): string | undefined {
  if (error instanceof ProblemError) return error.code;
  return error instanceof ServerGone ? "server_gone" : undefined;
}

/** Will asking again perhaps help? */
export function isPassing(error: unknown): boolean {
  return ["server_gone", "database_unavailable"].includes(problemCode(error) ?? "");
}
