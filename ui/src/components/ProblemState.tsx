import { ProblemError, problemCode } from "~/api/problem";
import { Button } from "./Button";
import { EmptyState } from "./EmptyState";
import { PageUpdated } from "./fetched";
import type { IconName } from "./Icon";

const TITLES: Readonly<Record<string, { title: string; icon: IconName }>> = {
  unknown_run: { title: "No such run", icon: "search" },
  unknown_job: { title: "No such job", icon: "search" },
  no_permission: { title: "You may not see this", icon: "lock" },
  server_gone: { title: "The server does not answer", icon: "unplugged" },
  database_unavailable: { title: "The database does not answer", icon: "database" },
  ledger_missing: { title: "The staging ledger is missing", icon: "database" },
};
const UNEXPECTED = { title: "Something went wrong", icon: "alert" } as const;
const NOT_FAILURES = ["unknown_run", "unknown_job", "no_permission"];

interface ProblemStateProps {
  error: Error;
  onRetry?: () => void;
}

/** In the place of what could not be fetched: what is wrong, and what to do. */
export function ProblemState({ error, onRetry }: ProblemStateProps) {
  if (error instanceof PageUpdated) return <Updated />;
  const code = problemCode(error) ?? "";
  const { title, icon } = TITLES[code] ?? UNEXPECTED;
  return (
    <EmptyState
      actions={
        onRetry && (
          <Button icon="refresh" onPress={onRetry}>
            Try again
          </Button>
        )
      }
      icon={icon}
      isFailure={!NOT_FAILURES.includes(code)}
      title={title}
    >
      {code === "server_gone" ? (
        <p>Loads go on without it. This page asks again by itself.</p>
      ) : (
        <p>{sentence(error.message)}</p>
      )}
      {error instanceof ProblemError && error.problem.next_step && <p>{sentence(error.problem.next_step)}</p>}
    </EmptyState>
  );
}

function Updated() {
  return (
    <EmptyState
      actions={
        <Button icon="refresh" onPress={() => location.reload()}>
          Reload
        </Button>
      }
      icon="refresh"
      title="The page was updated"
    >
      <p>This tab is older than the server, which no longer has a part of it that is needed here.</p>
    </EmptyState>
  );
}

/** The API's words begin small and end without a stop. */
export function sentence(words: string): string {
  return /[.!?…]$/.test(words) ? begun(words) : `${begun(words)}.`;
}

export function begun(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
