from __future__ import annotations

from etl.statements.staging import migration as sql
from etl.statements.staging.migration import LegacyColumn, LegacyRows

ROWS = LegacyRows(
    table="stg_50%",
    columns=(LegacyColumn("source_id", "int4"), LegacyColumn("data", "json")),
    source_id='("source_id")::text',
    data='"data"::jsonb',
    loaded_at='"loaded_at"',
    partial=(("data", '"data"', '"data"::jsonb', "jsonb"),),
)
WHOLE_ROW = (
    '(SELECT to_jsonb(whole.*) FROM (SELECT legacy."source_id",'
    ' CASE WHEN pg_input_is_valid(legacy."data"::text, \'jsonb\') THEN legacy."data"::jsonb'
    ' ELSE to_jsonb(legacy."data"::text) END AS "data") AS whole)'
)


def test_unusable_rows_are_moved_in_one_statement() -> None:
    unusable = (
        "coalesce((\"source_id\")::text, '') = '' OR octet_length((\"source_id\")::text) > 2000"
        ' OR ("data"::jsonb) IS NULL OR ("data" IS NOT NULL AND ("data"::jsonb) IS NULL)'
    )
    assert sql.is_unusable(ROWS) == unusable
    assert (
        sql.archive_unusable(ROWS)
        == f"""WITH unusable AS MATERIALIZED (
    SELECT ctid AS place, CASE WHEN coalesce(("source_id")::text, '') = '' THEN 'no_source_id' \
WHEN octet_length(("source_id")::text) > 2000 THEN 'bad_source_id' \
WHEN ("data" IS NOT NULL AND ("data"::jsonb) IS NULL) THEN 'unreadable' ELSE 'no_data' END AS reason, \
nullif(concat_ws('; ', CASE WHEN ("data" IS NOT NULL AND ("data"::jsonb) IS NULL) \
THEN 'data cannot be read as jsonb' END), '') AS detail
    FROM "stg_50%%" WHERE ctid >= %(first)s::tid AND ctid < %(end)s::tid AND ({unusable})
    FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM "stg_50%%" AS legacy WHERE ctid = ANY (ARRAY(SELECT place FROM unusable))
    RETURNING ctid AS place, {WHOLE_ROW} AS whole_row
)
INSERT INTO etl_staging_archive (table_name, reason, detail, row, etl_run_id)
SELECT %(table)s, reason, detail, whole_row, %(run_id)s FROM removed JOIN unusable USING (place)"""
    )


def test_of_duplicates_the_latest_is_kept() -> None:
    assert (
        sql.archive_duplicates(ROWS)
        == f"""WITH candidate AS MATERIALIZED (
    SELECT ctid AS place, ("source_id")::text AS key,
        NULL::timestamptz AS updated_at,
        "loaded_at" AS loaded_at
    FROM "stg_50%%" WHERE ctid = ANY (%(places)s::tid[])
    FOR UPDATE SKIP LOCKED
), ranked AS (
    SELECT place, row_number() OVER (
        PARTITION BY key ORDER BY updated_at DESC NULLS LAST, loaded_at DESC NULLS LAST, place DESC
    ) AS rank
    FROM candidate
), removed AS (
    DELETE FROM "stg_50%%" AS legacy WHERE ctid = ANY (ARRAY(SELECT place FROM ranked WHERE rank > 1))
    RETURNING {WHOLE_ROW} AS whole_row
)
INSERT INTO etl_staging_archive (table_name, reason, row, etl_run_id)
SELECT %(table)s, 'duplicate', whole_row, %(run_id)s FROM removed"""
    )


def test_duplicates_are_found_beside_one_another() -> None:
    assert (
        sql.find_duplicates(ROWS, 10)
        == """SELECT place::text FROM (
    SELECT ctid AS place, ("source_id")::text AS key, count(*) OVER (PARTITION BY ("source_id")::text) AS sharing
    FROM "stg_50%"
) AS legacy
WHERE sharing > 1 AND key IS NOT NULL ORDER BY key LIMIT 10"""
    )


def test_only_rows_that_lack_a_value_are_filled() -> None:
    assert (
        sql.fill("stg_x", {"etl_job_id": "'50%'"})
        == """UPDATE "stg_x" SET "etl_job_id" = coalesce("etl_job_id", '50%%')
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM "stg_x" WHERE ctid >= %(first)s::tid AND ctid < %(end)s::tid \
AND (("etl_job_id" IS NULL AND ('50%%') IS NOT NULL))
    FOR UPDATE SKIP LOCKED
))"""
    )


def test_lineage_that_the_ledger_does_not_know() -> None:
    unknown = '"etl_run_id" IS NOT NULL AND NOT EXISTS (SELECT FROM etl_runs AS known WHERE known.id = "etl_run_id")'
    assert sql.is_unknown_lineage("etl_run_id") == unknown
    assert (
        sql.register_runs("stg_x")
        == f"""INSERT INTO etl_runs (
    id, etl_job_id, status, phase, target_table, batch_size, parameters, finished_at
)
SELECT etl_run_id, min(etl_job_id), 'success', 'committing', %(table)s, 1000,
    jsonb_build_object('registered_by', 'migrate'), clock_timestamp()
FROM "stg_x" JOIN etl_jobs ON etl_jobs.id = etl_job_id
WHERE etl_run_id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{{0,127}}$' AND {unknown}
GROUP BY etl_run_id
ON CONFLICT (id) DO NOTHING"""
    )


def test_short_changes() -> None:
    assert sql.add_column("a", "bigint", default="0", is_required=True) == 'ADD COLUMN "a" bigint DEFAULT 0 NOT NULL'
    assert sql.refuse_null("c", "a") == 'ADD CONSTRAINT "c" CHECK ("a" IS NOT NULL) NOT VALID'
    assert sql.refuse_unreadable("c", "a", "b") == (
        'ADD CONSTRAINT "c" CHECK ("a" IS NULL OR "b" IS NOT NULL) NOT VALID'
    )
    assert sql.add_foreign_key("k", "a", "p") == 'ADD CONSTRAINT "k" FOREIGN KEY ("a") REFERENCES "p" (id) NOT VALID'
    assert sql.validate("t", "c") == 'ALTER TABLE "t" VALIDATE CONSTRAINT "c"'
    assert sql.not_valid("CHECK (true)") == sql.not_valid("CHECK (true) NOT VALID") == "CHECK (true) NOT VALID"
    assert sql.adopt_index("c", "i") == 'ADD CONSTRAINT "c" UNIQUE USING INDEX "i"'
    assert sql.adopt_index("c", "i", is_primary=True) == 'ADD CONSTRAINT "c" PRIMARY KEY USING INDEX "i"'
    assert sql.drop_index("i") == 'DROP INDEX CONCURRENTLY IF EXISTS "i"'
    assert sql.keep_maintenance_away("t") == 'LOCK TABLE "t" IN SHARE UPDATE EXCLUSIVE MODE'
    assert sql.swap_column("t", "a", "b") == [
        sql.carry_over("t", "a", "b"),
        'ALTER TABLE "t" DROP COLUMN "a"',
        'ALTER TABLE "t" RENAME COLUMN "b" TO "a"',
    ]


def test_a_new_column_takes_over_what_was_granted_and_said_of_the_old_one() -> None:
    assert (
        sql.carry_over("it's", "a", "b")
        == """DO 'DECLARE
    carried text;
BEGIN
    FOR carried IN
        SELECT format(''GRANT %s (%I) ON TABLE %s TO %s%s'', privilege_type, ''b'', attrelid::regclass,
            CASE grantee WHEN 0 THEN ''PUBLIC'' ELSE quote_ident(pg_get_userbyid(grantee)) END,
            CASE WHEN is_grantable THEN '' WITH GRANT OPTION'' ELSE '''' END)
        FROM pg_attribute, aclexplode(attacl)
        WHERE attrelid = ''"it''''s"''::regclass AND attname = ''a''
        UNION ALL
        SELECT format(''COMMENT ON COLUMN %s.%I IS %L'', attrelid::regclass, ''b'',
            col_description(attrelid, attnum))
        FROM pg_attribute
        WHERE attrelid = ''"it''''s"''::regclass AND attname = ''a''
    LOOP
        EXECUTE carried;
    END LOOP;
END'"""
    )


def test_new_columns_follow_the_old_ones() -> None:
    assert sql.create_synchronisation("stg_x_migrate", "stg_x", {"b": 'NEW."a"::text'}, time_zone="UTC") == [
        """CREATE OR REPLACE FUNCTION "stg_x_migrate"() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $function$
BEGIN
    NEW."b" := NEW."a"::text;
    RETURN NEW;
END
$function$""",
        'CREATE OR REPLACE TRIGGER "~stg_x_migrate" BEFORE INSERT OR UPDATE ON "stg_x"'
        ' FOR EACH ROW EXECUTE FUNCTION "stg_x_migrate"()',
        'ALTER TABLE "stg_x" ENABLE ALWAYS TRIGGER "~stg_x_migrate"',
    ]
    assert sql.drop_synchronisation("stg_x_migrate", "stg_x") == [
        'DROP TRIGGER IF EXISTS "~stg_x_migrate" ON "stg_x"',
        'DROP FUNCTION IF EXISTS "stg_x_migrate"()',
    ]
