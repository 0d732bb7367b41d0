import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jobQuery, sessionQuery } from "~/api/queries";
import type { Session } from "~/api/types";
import { runApi } from "~/live/run-api";
import { SignInPage } from "~/session/SignInPage";
import { useSignOut } from "~/session/useSession";
import { newQueryClient } from "./queryClient";

/** The API's side of a session: the cookie, which the page does not see, and what belongs to it. */
let cookie: { user: Session["user"]; token: string } | null;
let sent: string[];

const ada = { name: "ada", role: "operator" } as const;

beforeEach(() => {
  cookie = { user: ada, token: "first" };
  sent = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const what = `${request.method} ${new URL(request.url).pathname}`;
    sent.push(what);
    if (what === "GET /api/session") {
      cookie ??= { user: null, token: `anew ${sent.length}` };
      return Response.json(session());
    }
    if (request.method === "GET") return cookie?.user ? Response.json({}) : refusal(401, "not_signed_in");
    if (!cookie || request.headers.get("X-CSRF-Token") !== cookie.token) return refusal(403, "forged_request");
    if (request.method === "DELETE") {
      cookie = null;
      return new Response(null, { status: 204 });
    }
    expect(await request.json()).toEqual({ name: "ada", password: "secret" });
    cookie = { user: ada, token: "signed in" };
    return Response.json(session());
  });
});
afterEach(() => vi.unstubAllGlobals());

const session = (): Session => ({
  user: cookie?.user ?? null,
  csrf_token: cookie?.token ?? "",
  has_passwords: true,
  single_sign_on: null,
});
const refusal = (status: number, code: string) =>
  Response.json({ type: "about:blank", title: code, status, code, detail: code, fields: {} }, { status });

/** What the page shows: the sign-in page, or who is signed in. */
function Page() {
  const { data } = useQuery(sessionQuery);
  const signOut = useSignOut();
  if (!data) return null;
  if (!data.user) return <SignInPage session={data} />;
  return (
    <button onClick={() => signOut.mutate()} type="button">
      {data.user.name} signs out
    </button>
  );
}

async function open() {
  const queries = newQueryClient();
  render(
    <QueryClientProvider client={queries}>
      <Page />
    </QueryClientProvider>,
  );
  await screen.findByRole("button", { name: "ada signs out" });
  return queries;
}

async function signIn() {
  await userEvent.type(await screen.findByLabelText(/^Name/), "ada");
  await userEvent.type(screen.getByLabelText(/^Password/), "secret");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await screen.findByRole("button", { name: "ada signs out" });
}

describe("a session that has ended", () => {
  it("can be begun again without a reload: the cookie has gone", async () => {
    const queries = await open();
    cookie = null;
    await queries.fetchQuery(jobQuery("orders")).catch(() => undefined);
    await screen.findByLabelText(/^Password/);
    await waitFor(() => expect(sent.filter((what) => what === "GET /api/session")).toHaveLength(2));
    await signIn();
  });

  it("is noticed by what watches a run, too", async () => {
    await open();
    cookie = null;
    await runApi("run-1")
      .fetchChange(null, new AbortController().signal)
      .catch(() => undefined);
    await signIn();
  });

  it("can be begun again although the cookie has gone while the sign-in page stood there", async () => {
    const queries = await open();
    cookie = null;
    await queries.fetchQuery(jobQuery("orders")).catch(() => undefined);
    await screen.findByLabelText(/^Password/);
    await waitFor(() => expect(cookie).not.toBeNull());
    cookie = null;
    await signIn();
    expect(sent.filter((what) => what === "POST /api/session")).toHaveLength(2);
  });
});

const signOut = () => userEvent.click(screen.getByRole("button", { name: "ada signs out" }));

describe("what is asked under a token that is no longer the session's", () => {
  it("is asked once more where the same user has signed in anew in another tab", async () => {
    await open();
    cookie = { user: ada, token: "of another tab" };
    await signOut();
    await screen.findByLabelText(/^Password/);
    expect(sent.filter((what) => what === "DELETE /api/session")).toHaveLength(2);
  });

  it("is not done in the name of another user, who is shown instead", async () => {
    await open();
    cookie = { user: { name: "bob", role: "viewer" }, token: "of another tab" };
    await signOut();
    await screen.findByRole("button", { name: "bob signs out" });
    expect(sent.filter((what) => what === "DELETE /api/session")).toHaveLength(1);
  });

  it("is refused where the server refuses it twice: nothing goes round in circles", async () => {
    const queries = await open();
    const answers = globalThis.fetch;
    vi.stubGlobal("fetch", (request: Request) => {
      if (request.method === "GET") return answers(request);
      sent.push("refused");
      return Promise.resolve(refusal(403, "forged_request"));
    });
    await signOut();
    await waitFor(() => expect(queries.isMutating()).toBe(0));
    expect(sent.filter((what) => what === "refused")).toHaveLength(2);
  });
});
