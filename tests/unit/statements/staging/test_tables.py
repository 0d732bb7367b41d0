from __future__ import annotations

import pytest

from etl.statements.staging.tables import (
    StagingTable,
    count_unchanged,
    fill_table,
    find_changed,
    indexes_of,
    staging_table_statements,
    upsert_batch,
)

EVENTS = StagingTable("stg_events")
PLAIN = StagingTable("stg_plain", has_source_updated_at=False, has_hash_digest=False)

UPSERT = """\
WITH written AS (
    INSERT INTO "stg_plain" AS target (
        source_id,
        data,
        etl_job_id,
        etl_run_id,
        is_valid,
        validation_errors,
        input_position
    )
    SELECT
        source_id,
        document::jsonb,
        %(job_id)s,
        %(run_id)s,
        validation_errors IS NULL,
        validation_errors,
        input_position
    FROM (
        SELECT unnest(%(source_ids)s::text[]) AS source_id, unnest(string_to_array(%(documents)s, E'\\n')) AS document,
            unnest(%(positions)s::bigint[]) AS input_position, unnest(%(errors)s::jsonb[]) AS validation_errors,
            unnest(%(source_updated_at)s::timestamptz[]) AS source_updated_at,
            unnest(string_to_array(%(hash_digests)s, ',')) AS hash_digest
    ) AS input
    ORDER BY source_id COLLATE "C"
    ON CONFLICT (source_id) DO UPDATE SET
        data = excluded.data,
        etl_run_id = excluded.etl_run_id,
        is_valid = excluded.is_valid,
        validation_errors = excluded.validation_errors,
        input_position = excluded.input_position,
        updated_at = clock_timestamp(),
        loaded_at = clock_timestamp()
    WHERE excluded.input_position >= target.input_position
    RETURNING xmax = 0 AS is_inserted
)
SELECT count(*) FILTER (WHERE is_inserted), count(*) FILTER (WHERE NOT is_inserted) FROM written"""

UPSERT_CHANGED = """\
WITH written AS (
    INSERT INTO "stg_events" AS target (
        source_id,
        data,
        etl_job_id,
        etl_run_id,
        is_valid,
        validation_errors,
        input_position,
        source_updated_at,
        hash_digest
    )
    SELECT
        source_id,
        document::jsonb,
        %(job_id)s,
        %(run_id)s,
        validation_errors IS NULL,
        validation_errors,
        input_position,
        source_updated_at,
        hash_digest
    FROM (
        SELECT unnest(%(source_ids)s::text[]) AS source_id, unnest(string_to_array(%(documents)s, E'\\n')) AS document,
            unnest(%(positions)s::bigint[]) AS input_position, unnest(%(errors)s::jsonb[]) AS validation_errors,
            unnest(%(source_updated_at)s::timestamptz[]) AS source_updated_at,
            unnest(string_to_array(%(hash_digests)s, ',')) AS hash_digest
    ) AS input
    ORDER BY source_id COLLATE "C"
    ON CONFLICT (source_id) DO UPDATE SET
        data = excluded.data,
        etl_run_id = excluded.etl_run_id,
        is_valid = excluded.is_valid,
        validation_errors = excluded.validation_errors,
        input_position = excluded.input_position,
        source_updated_at = coalesce(excluded.source_updated_at, target.source_updated_at),
        hash_digest = excluded.hash_digest,
        updated_at = clock_timestamp(),
        loaded_at = clock_timestamp()
    WHERE (coalesce(excluded.source_updated_at, '-infinity'), excluded.input_position)
        >= (coalesce(target.source_updated_at, '-infinity'), target.input_position)
        AND (target.hash_digest IS DISTINCT FROM excluded.hash_digest
            OR target.source_updated_at <> excluded.source_updated_at
            OR (target.source_updated_at IS NULL AND excluded.source_updated_at IS NOT NULL))
        AND (target.hash_digest IS NULL OR \
ROW(target.data, target.is_valid, target.validation_errors, target.source_updated_at)::record
        *<> ROW(excluded.data, excluded.is_valid, excluded.validation_errors, \
coalesce(excluded.source_updated_at, target.source_updated_at))::record)
    RETURNING xmax = 0 AS is_inserted
)
SELECT count(*) FILTER (WHERE is_inserted), count(*) FILTER (WHERE NOT is_inserted) FROM written"""


TIME_FAULT = """\
    WHERE CASE WHEN (excluded.source_updated_at IS NULL AND excluded.validation_errors @> %(time_fault)s::jsonb)
            OR (target.source_updated_at IS NULL AND target.validation_errors @> %(time_fault)s::jsonb)
        THEN excluded.input_position >= target.input_position
        ELSE (coalesce(excluded.source_updated_at, '-infinity'), excluded.input_position)
            >= (coalesce(target.source_updated_at, '-infinity'), target.input_position) END
        AND (target.hash_digest IS DISTINCT FROM"""


def test_upsert() -> None:
    assert upsert_batch(PLAIN, skip_unchanged=False) == UPSERT
    assert upsert_batch(EVENTS, skip_unchanged=True) == UPSERT_CHANGED
    assert TIME_FAULT in upsert_batch(EVENTS, skip_unchanged=True, has_time_fault=True)


def test_fill() -> None:
    assert fill_table(EVENTS) == (
        'COPY "stg_events" (source_id, data, input_position, is_valid, validation_errors, source_updated_at, '
        "hash_digest, etl_job_id, etl_run_id, loaded_at, created_at, updated_at) FROM STDIN"
    )
    assert fill_table(PLAIN) == (
        'COPY "stg_plain" (source_id, data, input_position, is_valid, validation_errors, '
        "etl_job_id, etl_run_id, loaded_at, created_at, updated_at) FROM STDIN"
    )


def test_what_is_equal_is_only_read() -> None:
    assert find_changed(EVENTS) == (
        "SELECT place - 1\n"
        "FROM unnest(%(source_ids)s::text[], %(hash_digests)s::text[], %(source_updated_at)s::timestamptz[])\n"
        "    WITH ORDINALITY AS input (source_id, hash_digest, source_updated_at, place)\n"
        'LEFT JOIN "stg_events" AS target USING (source_id)\n'
        "WHERE target.hash_digest IS DISTINCT FROM input.hash_digest\n"
        "    OR target.source_updated_at <> input.source_updated_at\n"
        "    OR (target.source_updated_at IS NULL AND input.source_updated_at IS NOT NULL)"
    )
    assert count_unchanged(EVENTS).startswith("SELECT count(*)")


def test_names_of_long_tables_stay_apart_and_short_enough() -> None:
    names = [f"stg_{'a' * 50}_{number}" for number in (1, 2)]
    found = [{index.name for index in indexes_of(StagingTable(name, has_gin_index=True))} for name in names]
    assert found[0].isdisjoint(found[1])
    assert all(len(name.encode()) <= 63 for each in found for name in each)
    assert all(len(index.create()) > 0 for index in indexes_of(StagingTable(names[0])))


def test_a_table_made_for_updates_has_no_btree_on_what_they_change() -> None:
    create, *indexes = staging_table_statements(StagingTable("stg_events", has_hot_updates=True))
    assert create.endswith("\n) WITH (fillfactor = 50)")
    assert indexes == [
        'CREATE INDEX IF NOT EXISTS "stg_events_etl_run_id_loaded_at_idx" ON "stg_events" '
        "USING brin (etl_run_id, loaded_at)",
        'CREATE INDEX IF NOT EXISTS "stg_events_etl_job_id_idx" ON "stg_events" (etl_job_id)',
        'CREATE INDEX IF NOT EXISTS "stg_events_source_updated_at_idx" ON "stg_events" USING brin (source_updated_at)',
    ]


@pytest.mark.parametrize("optional", ["source_updated_at", "hash_digest"])
def test_optional_columns(optional: str) -> None:
    assert any(optional in text for text in staging_table_statements(EVENTS))
    assert not any(optional in text for text in staging_table_statements(PLAIN))


def test_an_index_may_be_built_while_writers_write() -> None:
    index = indexes_of(EVENTS)[0]
    assert index.create(concurrently=True) == (
        'CREATE INDEX CONCURRENTLY "stg_events_etl_run_id_loaded_at_idx" ON "stg_events" (etl_run_id, loaded_at)'
    )
