import { EmptyState } from "~/components/EmptyState";

export function ChooseRun() {
  return (
    <EmptyState icon="inbox" title="No run chosen">
      Choose a job and start a load, or open one of its runs.
    </EmptyState>
  );
}
