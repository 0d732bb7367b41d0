import { useQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { Suspense } from "react";
import { isPassing } from "~/api/problem";
import { sessionQuery } from "~/api/queries";
import { fetched } from "~/components/fetched";
import { LiveRegions } from "~/components/LiveRegions";
import { ProblemState } from "~/components/ProblemState";
import { useHasToasts } from "~/components/toasts";
import { Frame } from "./Frame";

const AGAIN_MILLISECONDS = 3000;

const Toasts = fetched(() => import("~/components/Toasts").then((room) => room.Toasts));
const SignInPage = fetched(() => import("~/session/SignInPage").then((room) => room.SignInPage));

export function App() {
  const hasToasts = useHasToasts();
  return (
    <>
      <Door />
      <Suspense>{hasToasts && <Toasts />}</Suspense>
      <LiveRegions />
    </>
  );
}

/** Nobody comes in unseen: whoever is not signed in finds the sign-in page, under the same URL. */
function Door() {
  const session = useQuery({
    ...sessionQuery,
    refetchInterval: (query) => (isPassing(query.state.error) ? AGAIN_MILLISECONDS : false),
  });
  if (session.data?.user)
    return (
      <Frame session={session.data}>
        <Outlet />
      </Frame>
    );
  if (session.data)
    return (
      <Suspense>
        <SignInPage session={session.data} />
      </Suspense>
    );
  if (session.error)
    return (
      <main>
        <h1 className="visually-hidden">Data Loader</h1>
        <ProblemState error={session.error} onRetry={() => void session.refetch()} />
      </main>
    );
  return null; // for a moment
}
