import type { Job } from "~/api/types";
import { Callout } from "~/components/Callout";

/** What a load does with a record that it meets twice; docs/staging.md says the whole of it. */
export function DeduplicationNote({ job }: { job: Job | undefined }) {
  return (
    <Callout title="Loading twice is safe">
      <p>
        Records are deduplicated by <code>source_id</code>
        {job?.source_id && (
          <>
            {" "}
            (here <code>{job.source_id}</code>)
          </>
        )}
        . {winner(job)}
      </p>
      <p>
        An upsert updates a row’s <code>data</code>, validity, run and times; <code>created_at</code> stays
        {job?.skip_unchanged !== false && ", and unchanged records are left alone"}.
      </p>
    </Callout>
  );
}

function winner(job: Job | undefined) {
  if (job && job.source_updated_at === null) return "Of two, the later in the order of the input wins.";
  if (!job) return "Of two, the one that was updated later wins.";
  return (
    <>
      Of two, the one with the later <code>{job.source_updated_at}</code> wins.
    </>
  );
}
