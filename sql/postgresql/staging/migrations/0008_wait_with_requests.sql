-- Requests whose load cannot begin yet wait, and say for what; those that were given up before they began are none that
-- were refused.

ALTER TABLE etl_run_requests
    -- not before; its load could not begin, for a reason that passes
    ADD COLUMN begin_after timestamptz,
    ADD COLUMN setbacks integer NOT NULL DEFAULT 0,
    ADD COLUMN setback text,
    DROP CONSTRAINT etl_run_requests_status_check,
    ADD CONSTRAINT etl_run_requests_status_check
        CHECK (status IN ('queued', 'claimed', 'started', 'done', 'refused', 'withdrawn')),
    DROP CONSTRAINT etl_run_requests_finished_check,
    ADD CONSTRAINT etl_run_requests_finished_check
        CHECK ((status IN ('done', 'refused', 'withdrawn')) = (finished_at IS NOT NULL)),
    DROP CONSTRAINT etl_run_requests_refusal_check,
    ADD CONSTRAINT etl_run_requests_refusal_check
        CHECK ((status IN ('refused', 'withdrawn')) = (refusal IS NOT NULL));
