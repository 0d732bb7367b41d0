import { ProblemError } from "~/api/problem";
import { Callout } from "~/components/Callout";

export function RequestProblem({ error }: { error: Error | null }) {
  if (!error) return null;
  const problem = error instanceof ProblemError ? error.problem : null;
  return (
    <div role="alert">
      <Callout title={problem?.title ?? "Nothing was done"} tone="danger">
        <p>{problem?.detail ?? error.message}</p>
        {problem?.next_step && <p>{problem.next_step}</p>}
      </Callout>
    </div>
  );
}
