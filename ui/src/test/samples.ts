import type { BatchRow, Change, LastRequest, Run, RunMetrics } from "~/api/types";

/** Answers of the API, as its models write them. */

export function metrics(changes: Partial<RunMetrics> = {}): RunMetrics {
  return {
    rows_attempted: 0,
    rows_inserted: 0,
    rows_updated: 0,
    rows_unchanged: 0,
    rows_deduplicated: 0,
    rows_rejected: 0,
    rows_validated: 0,
    rows_invalid: 0,
    batches_total: 0,
    batches_succeeded: 0,
    batches_failed: 0,
    is_batches_total_final: false,
    retries: 0,
    elapsed_seconds: 0,
    throughput_rps: 0,
    batch_duration_ms_avg: null,
    batch_duration_ms_p95: null,
    ...changes,
  };
}

export function run(changes: Partial<Run> = {}): Run {
  const etl_run_id = changes.etl_run_id ?? "run-1";
  return {
    etl_job_id: "guests",
    etl_run_id,
    revision: 1,
    status: "loading",
    target_table: "staging.stg_guests",
    batch_size: 1000,
    workers: 4,
    created_at: "2026-11-27T00:00:00Z",
    started_at: "2026-11-27T00:00:01Z",
    resumed_at: null,
    loaded_at: null,
    completed_at: null,
    requested_by: "ada",
    canceled_at: null,
    canceled_by: null,
    failure: null,
    host: "loader-1",
    process_id: 4711,
    silent_seconds: 0.4,
    is_ended: false,
    may_cancel: true,
    queueing: null,
    last_request: null,
    metrics: metrics(),
    validation_summary: {
      required_field_errors: 0,
      json_shape_errors: 0,
      rows_invalid: 0,
      rows_rejected: 0,
      examples: [],
      rejects_url: `/api/runs/${etl_run_id}/rejects`,
      invalid_records_url: `/api/runs/${etl_run_id}/invalid`,
    },
    retryable: {
      batches: 0,
      rows: 0,
      permanent_batches: 0,
      permanent_rows: 0,
      has_unread_input: false,
      is_overtaken: false,
    },
    configuration_changes: [],
    last_success: null,
    logs_url: `/api/runs/${etl_run_id}/logs`,
    metrics_download_url: `/api/runs/${etl_run_id}/metrics`,
    ...changes,
  };
}

export function request(changes: Partial<LastRequest> = {}): LastRequest {
  return {
    id: 1,
    action: "retry",
    status: "queued",
    requested_by: "ada",
    refusal: null,
    at: "2026-11-27T00:05:00Z",
    ...changes,
  };
}

export function batch(index: number, changes: Partial<BatchRow> = {}): BatchRow {
  return {
    index,
    revision: 1,
    status: "succeeded",
    attempts: 1,
    records: 1000,
    rows_attempted: 1000,
    rows_inserted: 900,
    rows_updated: 60,
    rows_unchanged: 40,
    rows_rejected: 0,
    validation_failures: 0,
    duration_ms: 480,
    retries: 0,
    started_at: "2026-11-27T00:00:02Z",
    committed_at: "2026-11-27T00:00:03Z",
    error_code: null,
    error_message: null,
    error_is_permanent: null,
    ...changes,
  };
}

export function change(id: string, changes: Partial<Change> = {}): Change {
  return { id, run: run(), batches: [], is_last: false, is_complete: false, ...changes };
}
