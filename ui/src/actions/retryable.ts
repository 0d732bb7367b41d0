import type { Run } from "~/api/types";

/** Would a retry be taken? Not of a run under way, and not once a later one has stored something. */
export function isOpenToRetries({ is_ended, retryable }: Run): boolean {
  return is_ended && !retryable.is_overtaken;
}

export function hasSomethingLeft({ retryable }: Run): boolean {
  return retryable.batches > 0 || retryable.has_unread_input;
}
