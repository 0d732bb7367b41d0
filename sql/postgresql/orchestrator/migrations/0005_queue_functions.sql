-- What changes a run's state: functions, so that each change is one round trip whose plans a session keeps. Names are
-- found by the caller's search_path. Each statement of a function sees what was committed before it began.
--
-- A plan that is kept may have been made when a table was empty: one for whatever values, no sequential scans, and a row
-- that is known by its number is asked for by nothing that another index could seem to answer: `ended_at IS NULL` says
-- that a run is queued or running, `released_at IS NULL` that a lock is active.
--
-- Rows are locked in this order, so that nobody waits in a circle: the lock's row, its run, then further runs by run_id
-- (a run's number is higher than those of the runs that it waits for).

-- An event of a run, with whose attempt it is.
CREATE OR REPLACE FUNCTION dw_etl_tell(run dw_etl_runs, what text, said jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dw_etl_run_events (run_id, event_type, attempt, worker_id, fencing_token, details)
    VALUES (run.run_id, what, nullif(run.attempts, 0), run.worker_id, run.fencing_token,
            coalesce(jsonb_strip_nulls(said), '{}'));
END
$$;

-- The scopes of dw_etl_parallelism that have no room. Only under its advisory lock, in a statement after it.
CREATE OR REPLACE FUNCTION dw_etl_full_scopes() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        SELECT bound.scope FROM dw_etl_parallelism AS bound
        WHERE bound.maximum <= (
            SELECT count(*) FROM dw_etl_job_locks AS held JOIN dw_etl_jobs AS job USING (job_id)
            WHERE held.status = 'active' AND (
                bound.scope IN ('all', 'layer:' || job.layer)
                OR EXISTS (
                    SELECT FROM dw_etl_job_tags AS tagged
                    WHERE tagged.job_id = job.job_id AND bound.scope = 'tag:' || tagged.tag
                )
            )
        )
    );
END
$$;

-- At most so many ready runs and their locks, best first: by priority, then age. The first few of all are looked at, of
-- which mostly one is free; then, of each key, and of each job without one, only the heads, however many wait behind
-- them or for their time. `candidates` does no more than it is asked for.
CREATE OR REPLACE FUNCTION dw_etl_claim(worker text, at_most integer, lease_seconds double precision)
RETURNS TABLE (
    run_id bigint, job_id bigint, slug text, layer text, kind text, command jsonb, parameters jsonb, attempt integer,
    maximum_attempts integer, fencing_token bigint, worker_id text, correlation_id text, cycle_id text,
    scheduled_at timestamptz, interval_from timestamptz, interval_until timestamptz, started_at timestamptz,
    retry_until timestamptz, backoff_seconds double precision, backoff_limit_seconds double precision,
    timeout_seconds double precision, grace_seconds double precision, queued_seconds double precision
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    -- an index is asked for what is due by a value, not by a function whose value changes
    moment timestamptz;
    candidates CURSOR FOR (
        SELECT run_id, job_id, concurrency_key, priority FROM (
            SELECT run_id, job_id, concurrency_key, priority, ready_at FROM dw_etl_runs
            WHERE status = 'queued' AND ready_at IS NOT NULL
            ORDER BY priority DESC, ready_at, run_id LIMIT 64
        ) AS best
        -- subqueries, not joins: in this order, and only as far as is fetched
        WHERE ready_at <= moment AND (
            SELECT held.fencing_token FROM dw_etl_job_locks AS held
            WHERE held.concurrency_key = best.concurrency_key AND held.status = 'active'
        ) IS NULL
    ) UNION ALL (
        WITH RECURSIVE first_of_each AS (
            -- of each key, job and priority the one that is ready first: if its time has not come, no other's has
            (
                SELECT concurrency_key, job_id, priority, ready_at, run_id FROM dw_etl_runs
                WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NOT NULL
                ORDER BY concurrency_key DESC, job_id DESC, priority DESC, ready_at, run_id LIMIT 1
            )
            UNION ALL
            SELECT next.* FROM first_of_each AS seen CROSS JOIN LATERAL (
                SELECT concurrency_key, job_id, priority, ready_at, run_id FROM dw_etl_runs
                WHERE status = 'queued' AND ready_at IS NOT NULL
                    AND (concurrency_key, job_id, priority) < (seen.concurrency_key, seen.job_id, seen.priority)
                ORDER BY concurrency_key DESC, job_id DESC, priority DESC, ready_at, run_id LIMIT 1
            ) AS next
        ), first_without_key AS (
            (
                SELECT job_id, priority FROM dw_etl_runs
                WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NULL
                ORDER BY job_id DESC, priority DESC, ready_at, run_id LIMIT 1
            )
            UNION ALL
            SELECT next.* FROM first_without_key AS seen CROSS JOIN LATERAL (
                SELECT job_id, priority FROM dw_etl_runs
                WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NULL
                    AND (job_id, priority) < (seen.job_id, seen.priority)
                ORDER BY job_id DESC, priority DESC, ready_at, run_id LIMIT 1
            ) AS next
        ), due AS (
            SELECT concurrency_key, job_id, priority, ready_at, run_id FROM first_of_each AS each
            WHERE ready_at <= moment AND NOT EXISTS (
                SELECT FROM dw_etl_job_locks AS held
                WHERE held.concurrency_key = each.concurrency_key AND held.status = 'active'
            )
            UNION ALL
            SELECT next.* FROM first_without_key AS each CROSS JOIN LATERAL (
                SELECT concurrency_key, job_id, priority, ready_at, run_id FROM dw_etl_runs
                WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NULL
                    AND job_id = each.job_id AND priority = each.priority AND ready_at <= moment
                ORDER BY ready_at, run_id LIMIT at_most
            ) AS next
        )
        SELECT run_id, job_id, concurrency_key, priority FROM due ORDER BY priority DESC, ready_at, run_id
    );
    is_bounded boolean := EXISTS (SELECT FROM dw_etl_parallelism);
    full_scopes text[] := '{}';
    taken bigint[] := '{}';
    run dw_etl_runs;
    job dw_etl_jobs;
    token bigint;
BEGIN
    IF is_bounded THEN
        PERFORM pg_advisory_xact_lock(hashtext('dw_etl_parallelism'), hashtext(current_schema()));
        full_scopes := dw_etl_full_scopes();
        IF 'all' = ANY (full_scopes) THEN
            RETURN;
        END IF;
    END IF;
    moment := clock_timestamp();
    FOR head IN candidates LOOP
        SELECT * INTO job FROM dw_etl_jobs WHERE job_id = head.job_id AND is_enabled;
        CONTINUE WHEN NOT FOUND OR full_scopes <> '{}' AND (
            'layer:' || job.layer = ANY (full_scopes)
            OR EXISTS (
                SELECT FROM dw_etl_job_tags AS tagged
                WHERE tagged.job_id = head.job_id AND 'tag:' || tagged.tag = ANY (full_scopes)
            )
        );
        -- who is just taking this key has it, and whoever just lets it go has it still: a claim waits for nobody
        CONTINUE WHEN head.concurrency_key IS NOT NULL AND NOT pg_try_advisory_xact_lock(
            hashtext('dw_etl_key.' || current_schema()), hashtext(head.concurrency_key)
        );
        CONTINUE WHEN EXISTS (
            SELECT FROM dw_etl_job_locks AS held
            WHERE held.concurrency_key = head.concurrency_key AND held.status = 'active'
        );
        IF head.concurrency_key IS NULL THEN
            -- any of its job's will do that nobody else is just taking
            SELECT * INTO run FROM dw_etl_runs
            WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NULL
                AND job_id = head.job_id AND priority = head.priority AND ready_at <= moment
            ORDER BY ready_at, run_id LIMIT 1
            FOR NO KEY UPDATE SKIP LOCKED;
        ELSE
            SELECT * INTO run FROM dw_etl_runs WHERE run_id = head.run_id FOR NO KEY UPDATE SKIP LOCKED;
        END IF;
        CONTINUE WHEN run.status IS DISTINCT FROM 'queued' OR run.ready_at > moment;
        INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at)
        VALUES (run.job_id, run.run_id, run.concurrency_key, worker, run.attempts + 1,
                clock_timestamp() + make_interval(secs => lease_seconds))
        ON CONFLICT (concurrency_key) WHERE status = 'active' DO NOTHING
        RETURNING fencing_token INTO token;
        CONTINUE WHEN NOT FOUND;
        UPDATE dw_etl_runs AS claimed SET
            status = 'running', attempts = claimed.attempts + 1, fencing_token = token, worker_id = worker,
            started_at = coalesce(claimed.started_at, clock_timestamp()),
            retry_until = coalesce(
                claimed.retry_until, clock_timestamp() + make_interval(secs => job.retry_for_seconds)
            )
        WHERE claimed.run_id = run.run_id
        RETURNING claimed.* INTO run;
        PERFORM dw_etl_tell(run, 'claimed', jsonb_build_object('concurrency_key', run.concurrency_key));
        taken := taken || run.run_id;
        EXIT WHEN cardinality(taken) >= at_most;
        IF is_bounded THEN
            full_scopes := dw_etl_full_scopes();
            EXIT WHEN 'all' = ANY (full_scopes);
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT
            claimed.run_id, claimed.job_id, of.slug, of.layer, of.kind, of.command, claimed.parameters,
            claimed.attempts, claimed.maximum_attempts, claimed.fencing_token, claimed.worker_id,
            claimed.correlation_id, claimed.cycle_id, claimed.scheduled_at, claimed.interval_from,
            claimed.interval_until, claimed.started_at, claimed.retry_until, of.backoff_seconds,
            of.backoff_limit_seconds, of.timeout_seconds, of.grace_seconds,
            extract(epoch FROM clock_timestamp() - claimed.ready_at)::double precision
        FROM unnest(taken) WITH ORDINALITY AS one (run_id, place)
            JOIN dw_etl_runs AS claimed ON claimed.run_id = one.run_id
            JOIN dw_etl_jobs AS of ON of.job_id = claimed.job_id
        ORDER BY one.place;
END
$$;

-- What became of the run when its worker had ended this attempt itself; NULL where it was taken away, or is under way.
CREATE OR REPLACE FUNCTION dw_etl_ended_as(token bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT CASE told.event_type
            WHEN 'succeeded' THEN 'success' WHEN 'retry_scheduled' THEN 'queued' ELSE told.event_type
        END
        FROM dw_etl_job_locks AS ended JOIN dw_etl_run_events AS told
            ON told.run_id = ended.run_id AND told.fencing_token = ended.fencing_token
        WHERE ended.fencing_token = token AND ended.status = 'released'
            AND told.event_type IN ('succeeded', 'failed', 'cancelled', 'retry_scheduled')
            AND NOT EXISTS (
                SELECT FROM dw_etl_run_events AS other
                WHERE other.run_id = ended.run_id AND other.fencing_token = token
                    AND other.event_type IN ('lock_released', 'handed_back')
            )
        ORDER BY told.event_id LIMIT 1
    );
END
$$;

-- Whether its worker had handed this attempt's run back itself.
CREATE OR REPLACE FUNCTION dw_etl_was_handed_back(token bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM dw_etl_job_locks AS ended JOIN dw_etl_run_events AS told
            ON told.run_id = ended.run_id AND told.fencing_token = ended.fencing_token
        WHERE ended.fencing_token = token AND told.event_type = 'handed_back'
    );
END
$$;

-- Takes an attempt's run from its worker, its key with it; no row where it was the worker's no longer, and an event:
-- but not where the worker says again how it ended, because it had no answer.
CREATE OR REPLACE FUNCTION dw_etl_end_attempt(token bigint, ends_as text, doing text)
RETURNS dw_etl_runs LANGUAGE plpgsql AS $$
DECLARE
    attempted dw_etl_job_locks;
    run dw_etl_runs;
BEGIN
    UPDATE dw_etl_job_locks AS held SET status = ends_as, released_at = clock_timestamp()
    WHERE held.fencing_token = token AND held.released_at IS NULL RETURNING held.* INTO attempted;
    IF NOT FOUND THEN
        INSERT INTO dw_etl_run_events (run_id, event_type, attempt, worker_id, fencing_token, details)
        SELECT ended.run_id, 'fenced', ended.attempt, ended.worker_id, token, jsonb_build_object('doing', doing)
        FROM dw_etl_job_locks AS ended
        WHERE ended.fencing_token = token AND NOT CASE doing
            WHEN 'finish' THEN dw_etl_ended_as(token) IS NOT NULL
            WHEN 'hand back' THEN dw_etl_was_handed_back(token)
            ELSE false
        END;
        RETURN NULL;
    END IF;
    SELECT * INTO run FROM dw_etl_runs WHERE run_id = attempted.run_id FOR NO KEY UPDATE;
    RETURN run;
END
$$;

-- Called once for each run that ended, as what it now is, in the transaction that ends it: what else belongs to an end
-- is written here.
CREATE OR REPLACE FUNCTION dw_etl_after_end(run dw_etl_runs) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dw_etl_tell_of_end(run);
END
$$;

-- Those of these runs become ready that wait for nothing any more. Their rows are locked.
CREATE OR REPLACE FUNCTION dw_etl_make_ready(run_ids bigint[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    run dw_etl_runs;
    became integer := 0;
BEGIN
    FOR run IN
        UPDATE dw_etl_runs AS waiting SET ready_at = clock_timestamp()
        WHERE waiting.run_id = ANY (run_ids) AND waiting.ended_at IS NULL AND waiting.ready_at IS NULL
            AND NOT EXISTS (
                SELECT FROM dw_etl_run_dependencies AS waits JOIN dw_etl_runs AS parent
                    ON parent.run_id = waits.parent_run_id
                WHERE waits.run_id = waiting.run_id AND parent.status <> 'success'
            )
        RETURNING waiting.*
    LOOP
        PERFORM dw_etl_tell(run, 'ready', '{}');
        became := became + 1;
    END LOOP;
    IF became > 0 THEN
        PERFORM pg_notify('dw_etl_ready', '');
    END IF;
    RETURN became;
END
$$;

-- The dependents' rows are locked first and their parents looked at afterwards, else two parents that end at once miss
-- one another.
CREATE OR REPLACE FUNCTION dw_etl_release_children(parent bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    children bigint[] := ARRAY(SELECT waits.run_id FROM dw_etl_run_dependencies AS waits WHERE parent_run_id = parent);
BEGIN
    IF children <> '{}' THEN
        PERFORM FROM dw_etl_runs WHERE run_id = ANY (children) AND ended_at IS NULL ORDER BY run_id FOR NO KEY UPDATE;
        PERFORM dw_etl_make_ready(children);
    END IF;
END
$$;

-- These runs, all that waits for them, however far, and what that waits for: locked by run_id before one of them is
-- changed, where several may be changed that do not stand one below the other.
CREATE OR REPLACE FUNCTION dw_etl_lock_around(run_ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    around bigint[] := ARRAY(
        WITH RECURSIVE under AS (
            SELECT unnest(run_ids) AS run_id
            UNION
            SELECT waits.run_id FROM under JOIN dw_etl_run_dependencies AS waits ON waits.parent_run_id = under.run_id
        )
        SELECT under.run_id FROM under
        UNION
        SELECT waits.parent_run_id FROM under JOIN dw_etl_run_dependencies AS waits ON waits.run_id = under.run_id
    );
BEGIN
    PERFORM FROM dw_etl_runs WHERE run_id = ANY (around) ORDER BY run_id FOR NO KEY UPDATE;
END
$$;

-- All that waits for a run, however far, is skipped because of `cause`. Again until nothing is left: who is just being
-- added below one of them is seen when its row is locked.
CREATE OR REPLACE FUNCTION dw_etl_skip_descendants(above bigint, cause bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    below bigint[];
    why text;
    run dw_etl_runs;
BEGIN
    LOOP
        below := ARRAY(
            WITH RECURSIVE under AS (
                SELECT waits.run_id FROM dw_etl_run_dependencies AS waits WHERE waits.parent_run_id = above
                UNION
                SELECT waits.run_id FROM under JOIN dw_etl_run_dependencies AS waits
                    ON waits.parent_run_id = under.run_id
            )
            SELECT found.run_id FROM dw_etl_runs AS found
            WHERE found.run_id IN (SELECT under.run_id FROM under) AND found.ended_at IS NULL AND found.status <> 'running'
            ORDER BY found.run_id FOR NO KEY UPDATE
        );
        EXIT WHEN below = '{}';
        SELECT format('%s (run %s) %s', job.slug, ended.run_id,
                      CASE WHEN ended.status IN ('skipped', 'cancelled') THEN 'was ' ELSE '' END || ended.status)
        INTO why FROM dw_etl_runs AS ended JOIN dw_etl_jobs AS job USING (job_id) WHERE ended.run_id = cause;
        FOR run IN
            UPDATE dw_etl_runs AS skipped SET
                status = 'skipped', ended_at = clock_timestamp(), ready_at = NULL, because_run_id = cause, reason = why
            WHERE skipped.run_id = ANY (below)
            RETURNING skipped.*
        LOOP
            PERFORM dw_etl_tell(run, 'skipped', jsonb_build_object('because_run_id', cause, 'reason', why));
            PERFORM dw_etl_after_end(run);
        END LOOP;
    END LOOP;
END
$$;

-- What follows from a run's end.
CREATE OR REPLACE FUNCTION dw_etl_ended(run dw_etl_runs) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF run.status = 'success' THEN
        PERFORM dw_etl_release_children(run.run_id);
    ELSE
        PERFORM dw_etl_skip_descendants(run.run_id, coalesce(run.because_run_id, run.run_id));
    END IF;
    PERFORM dw_etl_after_end(run);
END
$$;

-- Runs that were just made or opened again: ready, waiting, or skipped because of what they would wait for. Whom they
-- wait for cannot end meanwhile.
CREATE OR REPLACE FUNCTION dw_etl_settle(run_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    hopeless record;
    run dw_etl_runs;
BEGIN
    PERFORM FROM dw_etl_runs AS parent
    WHERE parent.run_id IN (
        SELECT waits.parent_run_id FROM dw_etl_run_dependencies AS waits WHERE waits.run_id = ANY (run_ids)
    )
    ORDER BY parent.run_id FOR SHARE;
    PERFORM dw_etl_make_ready(run_ids);
    FOR hopeless IN
        SELECT DISTINCT ON (waits.run_id)
            waits.run_id, coalesce(parent.because_run_id, parent.run_id) AS cause,
            format('%s (run %s) %s', job.slug, parent.run_id,
                   CASE WHEN parent.status IN ('skipped', 'cancelled') THEN 'was ' ELSE '' END || parent.status) AS why
        FROM dw_etl_run_dependencies AS waits
            JOIN dw_etl_runs AS parent ON parent.run_id = waits.parent_run_id
            JOIN dw_etl_jobs AS job ON job.job_id = parent.job_id
        WHERE waits.run_id = ANY (run_ids) AND parent.ended_at IS NOT NULL AND parent.status <> 'success'
        ORDER BY waits.run_id, waits.parent_run_id
    LOOP
        UPDATE dw_etl_runs AS skipped SET
            status = 'skipped', ended_at = clock_timestamp(), ready_at = NULL,
            because_run_id = hopeless.cause, reason = hopeless.why
        WHERE skipped.run_id = hopeless.run_id AND skipped.ended_at IS NULL
        RETURNING skipped.* INTO run;
        CONTINUE WHEN NOT FOUND;
        PERFORM dw_etl_tell(
            run, 'skipped', jsonb_build_object('because_run_id', hopeless.cause, 'reason', hopeless.why)
        );
        PERFORM dw_etl_ended(run);
    END LOOP;
END
$$;

-- What becomes of a run whose attempt ended: it ends, or waits for its next attempt. That is `retry_in_seconds` away
-- and at the latest at the run's deadline, which is judged here, by this server's clock. No attempt follows a cancel.
CREATE OR REPLACE FUNCTION dw_etl_conclude(
    run dw_etl_runs, outcome text, failure jsonb, counts jsonb, retry_in_seconds double precision
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    goes_again boolean := outcome = 'failed' AND retry_in_seconds IS NOT NULL AND run.cancel_requested_at IS NULL
        AND run.attempts < run.maximum_attempts
        AND (run.retry_until IS NULL OR run.retry_until > clock_timestamp());
    wait_seconds double precision := CASE WHEN goes_again THEN greatest(0, least(
        retry_in_seconds, extract(epoch FROM run.retry_until - clock_timestamp())
    )) END;
    becomes text := CASE
        WHEN goes_again THEN 'queued'
        WHEN outcome = 'failed' AND retry_in_seconds IS NOT NULL AND run.cancel_requested_at IS NOT NULL THEN 'cancelled'
        ELSE outcome
    END;
BEGIN
    UPDATE dw_etl_runs AS ended SET
        status = becomes,
        ended_at = CASE WHEN NOT goes_again THEN clock_timestamp() END,
        ready_at = CASE WHEN goes_again THEN clock_timestamp() + make_interval(secs => wait_seconds)
            ELSE ended.ready_at END,
        records_read = (counts ->> 'records_read')::bigint,
        records_written = (counts ->> 'records_written')::bigint,
        metrics = coalesce(counts -> 'metrics', '{}'),
        exit_code = (failure ->> 'exit_code')::integer,
        error_class = failure ->> 'error_class',
        error_type = failure ->> 'error_type',
        error_message = failure ->> 'message',
        is_transient_error = (failure ->> 'is_transient')::boolean
    WHERE ended.run_id = run.run_id
    RETURNING ended.* INTO run;
    PERFORM dw_etl_tell(
        run,
        CASE becomes WHEN 'queued' THEN 'retry_scheduled' WHEN 'success' THEN 'succeeded' ELSE becomes END,
        CASE becomes
            WHEN 'success' THEN counts - 'metrics'
            WHEN 'cancelled' THEN jsonb_build_object('by', run.cancelled_by, 'reason', run.reason, 'failure', failure)
            ELSE jsonb_build_object('failure', failure, 'wait_seconds', wait_seconds)
        END
    );
    IF NOT goes_again THEN
        PERFORM dw_etl_ended(run);
    END IF;
    RETURN becomes;
END
$$;

-- What the run is now; NULL where it was the worker's no longer. Said again, it changes nothing.
CREATE OR REPLACE FUNCTION dw_etl_finish(
    token bigint, outcome text, failure jsonb, counts jsonb, retry_in_seconds double precision
) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    run dw_etl_runs := dw_etl_end_attempt(token, 'released', 'finish');
BEGIN
    IF run.run_id IS NULL THEN
        RETURN dw_etl_ended_as(token);
    END IF;
    RETURN dw_etl_conclude(run, outcome, failure, counts, retry_in_seconds);
END
$$;

-- Its attempt is not counted, and the next may begin at once. False where it was the worker's no longer; said again, it
-- changes nothing.
CREATE OR REPLACE FUNCTION dw_etl_hand_back(token bigint, why text) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    run dw_etl_runs := dw_etl_end_attempt(token, 'released', 'hand back');
BEGIN
    IF run.run_id IS NULL THEN
        RETURN dw_etl_was_handed_back(token);
    END IF;
    PERFORM dw_etl_tell(run, 'handed_back', jsonb_build_object('reason', why));
    IF run.cancel_requested_at IS NOT NULL THEN
        PERFORM dw_etl_conclude(run, 'cancelled', NULL, NULL, NULL);
        RETURN true;
    END IF;
    UPDATE dw_etl_runs AS again SET
        status = 'queued', ready_at = clock_timestamp(), attempts = again.attempts - 1,
        started_at = CASE WHEN again.attempts > 1 THEN again.started_at END,
        retry_until = CASE WHEN again.attempts > 1 THEN again.retry_until END
    WHERE again.run_id = run.run_id;
    PERFORM pg_notify('dw_etl_ready', '');
    RETURN true;
END
$$;

-- Ends an attempt without its worker: its lease ran out, or somebody released its lock. The caller holds the lock's row.
CREATE OR REPLACE FUNCTION dw_etl_take_away(
    token bigint, lock_becomes text, what text, said jsonb, failure jsonb, retry_in_seconds double precision
) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    run dw_etl_runs := dw_etl_end_attempt(token, lock_becomes, what);
    outcome text := CASE WHEN run.cancel_requested_at IS NULL THEN 'failed' ELSE 'cancelled' END;
BEGIN
    PERFORM dw_etl_tell(run, what, said);
    PERFORM dw_etl_conclude(run, outcome, failure, NULL, retry_in_seconds);
    RETURN (SELECT status FROM dw_etl_runs WHERE run_id = run.run_id);
END
$$;

-- One ready run that is not to wait while another holds its key: skipped, or failed. NULL: there is none. A run that has
-- begun waits for its next attempt as others do: how it failed is not forgotten.
CREATE OR REPLACE FUNCTION dw_etl_settle_held() RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    run dw_etl_runs;
    why text;
BEGIN
    -- planned each time: it matters how many runs wait patiently
    EXECUTE $find$
        SELECT * FROM dw_etl_runs AS waiting
        WHERE waiting.status = 'queued' AND waiting.ready_at IS NOT NULL AND waiting.when_held <> 'queue'
            AND waiting.attempts = 0 AND waiting.ready_at <= clock_timestamp() AND EXISTS (
                SELECT FROM dw_etl_job_locks AS held
                WHERE held.concurrency_key = waiting.concurrency_key AND held.status = 'active'
            )
        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    $find$ INTO run;
    IF run.run_id IS NULL THEN
        RETURN NULL;
    END IF;
    why := (
        SELECT format('its key %s is held by %s (run %s)', run.concurrency_key, job.slug, held.run_id)
        FROM dw_etl_job_locks AS held JOIN dw_etl_jobs AS job USING (job_id)
        WHERE held.concurrency_key = run.concurrency_key AND held.status = 'active'
    );
    why := coalesce(why, format('its key %s was held', run.concurrency_key));
    IF run.when_held = 'fail' THEN
        UPDATE dw_etl_runs AS held SET reason = why WHERE held.run_id = run.run_id;
        PERFORM dw_etl_conclude(run, 'failed', jsonb_build_object(
            'error_type', 'held', 'error_class', 'KeyHeld', 'message', why, 'is_transient', false
        ), NULL, NULL);
    ELSE
        UPDATE dw_etl_runs AS skipped SET status = 'skipped', ended_at = clock_timestamp(), reason = why
        WHERE skipped.run_id = run.run_id RETURNING skipped.* INTO run;
        PERFORM dw_etl_tell(run, 'skipped', jsonb_build_object('reason', why));
        PERFORM dw_etl_ended(run);
    END IF;
    RETURN run.run_id;
END
$$;

-- What the run was before; NULL: there is none. One that has ended stays as it is; who asked first is kept.
CREATE OR REPLACE FUNCTION dw_etl_cancel(asked bigint, who text, why text) RETURNS text
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    run dw_etl_runs;
    was text;
BEGIN
    SELECT * INTO run FROM dw_etl_runs WHERE run_id = asked FOR NO KEY UPDATE;
    was := run.status;
    IF was IS NULL OR was NOT IN ('queued', 'running') THEN
        RETURN was;
    END IF;
    IF run.cancel_requested_at IS NULL THEN
        UPDATE dw_etl_runs AS ending
        SET cancel_requested_at = clock_timestamp(), cancelled_by = who, reason = why
        WHERE ending.run_id = asked RETURNING ending.* INTO run;
    END IF;
    PERFORM dw_etl_tell(run, 'cancel_requested', jsonb_build_object('by', who, 'reason', why));
    IF was = 'queued' THEN
        PERFORM dw_etl_conclude(run, 'cancelled', NULL, NULL, NULL);
    END IF;
    RETURN was;
END
$$;

-- A failed or cancelled run, and the runs that were skipped because of it, of other cycles too, wait anew for what they
-- wait for; with as many attempts as at first. No row where it is neither.
CREATE OR REPLACE FUNCTION dw_etl_reopen(asked bigint, who text) RETURNS SETOF bigint
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    root dw_etl_runs;
    run dw_etl_runs;
    again bigint[];
BEGIN
    -- two that were asked for at once may have dependents in common
    PERFORM dw_etl_lock_around(ARRAY[asked]);
    SELECT * INTO root FROM dw_etl_runs WHERE run_id = asked FOR NO KEY UPDATE;
    IF NOT FOUND OR root.status NOT IN ('failed', 'cancelled') THEN
        RETURN;
    END IF;
    again := asked || ARRAY(
        WITH RECURSIVE under AS (
            SELECT waits.run_id FROM dw_etl_run_dependencies AS waits WHERE waits.parent_run_id = asked
            UNION
            SELECT waits.run_id FROM under JOIN dw_etl_run_dependencies AS waits ON waits.parent_run_id = under.run_id
        )
        SELECT skipped.run_id FROM dw_etl_runs AS skipped
        WHERE skipped.run_id IN (SELECT under.run_id FROM under)
            AND skipped.because_run_id = asked AND skipped.status = 'skipped'
        ORDER BY skipped.run_id FOR NO KEY UPDATE
    );
    FOR run IN
        UPDATE dw_etl_runs AS opened SET
            status = 'queued', ready_at = NULL, ended_at = NULL, retry_until = NULL,
            maximum_attempts = opened.attempts + 1
                + (SELECT job.retries FROM dw_etl_jobs AS job WHERE job.job_id = opened.job_id),
            cancel_requested_at = NULL, cancelled_by = NULL, reason = NULL, because_run_id = NULL, exit_code = NULL,
            error_class = NULL, error_type = NULL, error_message = NULL, is_transient_error = NULL
        WHERE opened.run_id = ANY (again)
        RETURNING opened.*
    LOOP
        PERFORM dw_etl_tell(run, 'reopened', jsonb_build_object('by', who, 'for_run_id', asked));
    END LOOP;
    PERFORM dw_etl_settle(again);
    RETURN QUERY SELECT unnest(again);
END
$$;
