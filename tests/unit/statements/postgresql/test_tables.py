from etl.statements.postgresql.naming import StagedColumn, Table, lock_key, staging_table
from etl.statements.postgresql.run_table import (
    analyze_staging,
    comment_staging,
    copy_into,
    count_by_attempt,
    create_staging,
    delete_losers,
    drop_staging,
)
from etl.statements.postgresql.tables import (
    ForeignKeyLink,
    NewColumn,
    add_column,
    add_foreign_key,
    add_primary_key,
    add_unique,
    alter_column_type,
    create_schema,
    create_table,
    require_values,
    validate_constraint,
)

TARGET = Table("public", 'a"; drop table u; --')
STAGING = Table("etl_staging", "s_1")
QUOTED = '"public"."a""; drop table u; --"'


def test_tables_and_columns() -> None:
    assert create_schema("Mixed") == 'CREATE SCHEMA IF NOT EXISTS "Mixed"'
    columns = [NewColumn("id", "uuid", not_null=True), NewColumn("order", "text[]")]
    assert create_table(TARGET, columns) == f'CREATE TABLE {QUOTED} ("id" uuid NOT NULL, "order" text[])'
    assert add_column(TARGET, columns[1]) == f'ALTER TABLE {QUOTED} ADD COLUMN "order" text[]'
    assert require_values(TARGET, ["a", "b"]) == (
        f'ALTER TABLE {QUOTED} ALTER COLUMN "a" SET NOT NULL, ALTER COLUMN "b" SET NOT NULL'
    )
    assert alter_column_type(TARGET, "n", "bigint") == f'ALTER TABLE {QUOTED} ALTER COLUMN "n" TYPE bigint'


def test_keys() -> None:
    assert add_primary_key(TARGET, ["a", "b"]) == f'ALTER TABLE {QUOTED} ADD PRIMARY KEY ("a", "b")'
    assert add_unique(TARGET, ["a"]) == f'ALTER TABLE {QUOTED} ADD UNIQUE ("a")'
    assert add_unique(TARGET, ["a"], nulls_not_distinct=True, deferrable=True) == (
        f'ALTER TABLE {QUOTED} ADD UNIQUE NULLS NOT DISTINCT ("a") DEFERRABLE INITIALLY IMMEDIATE'
    )


def test_foreign_keys() -> None:
    link = ForeignKeyLink(TARGET, ("x", "y"), Table("public", "p"), ("a", "b"))
    plain = f'ALTER TABLE {QUOTED} ADD FOREIGN KEY ("x", "y") REFERENCES "public"."p" ("a", "b")'
    assert add_foreign_key(link) == plain
    assert add_foreign_key(link, valid=False) == f"{plain} NOT VALID"
    deferred = ForeignKeyLink(TARGET, ("x", "y"), Table("public", "p"), ("a", "b"), deferred=True)
    assert add_foreign_key(deferred) == f"{plain} DEFERRABLE INITIALLY DEFERRED"
    assert validate_constraint(TARGET, "c") == f'ALTER TABLE {QUOTED} VALIDATE CONSTRAINT "c"'


def test_staging() -> None:
    columns = [StagedColumn("id", "uuid", "uuid"), StagedColumn("address", "inet", "text")]
    assert create_staging(STAGING, columns) == (
        'CREATE UNLOGGED TABLE "etl_staging"."s_1" (_etl_attempt bigint NOT NULL, "id" uuid, "address" text, '
        "_etl_rule text, _etl_reason text, _etl_status text) WITH (autovacuum_enabled = false)"
    )
    assert copy_into(STAGING, columns, "binary") == (
        'COPY "etl_staging"."s_1" ("_etl_attempt", "id", "address") FROM STDIN (FORMAT binary)'
    )
    assert copy_into(STAGING, columns, "csv") == (
        'COPY "etl_staging"."s_1" ("_etl_attempt", "id", "address") FROM STDIN '
        "(FORMAT csv, NULL '', ENCODING 'UTF8')"
    )
    assert comment_staging(STAGING, Table("public", "it's"), "run-1") == (
        'COMMENT ON TABLE "etl_staging"."s_1" IS '
        """'{"run_id": "run-1", "schema": "public", "table": "it''s"}'"""
    )
    assert count_by_attempt(STAGING) == ('SELECT _etl_attempt, count(*) FROM "etl_staging"."s_1" GROUP BY _etl_attempt')
    assert analyze_staging(STAGING, ["id"]) == 'ANALYZE "etl_staging"."s_1" ("id", "_etl_rule")'
    assert delete_losers(STAGING) == 'DELETE FROM "etl_staging"."s_1" WHERE _etl_attempt <> ALL (%(winners)s)'
    assert drop_staging(STAGING) == 'DROP TABLE IF EXISTS "etl_staging"."s_1"'


def test_staging_names_are_short_and_differ_by_run_and_target() -> None:
    names = {
        staging_table(Table(schema, "t" * 63), run).name for schema in ("public", "other") for run in ("run-1", "run-2")
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {26}


def test_lock_keys_differ_by_target_and_fit_a_bigint() -> None:
    keys = {lock_key(Table("public", name)) for name in ("a", "b")} | {lock_key(Table("a", "b"))}
    assert len(keys) == 3
    assert all(-(2**63) <= key < 2**63 for key in keys)


def test_staged_values_are_cast_where_the_carrier_is_another_type() -> None:
    assert StagedColumn("id", "uuid", "uuid").value("s") == 's."id"'
    assert StagedColumn("a", "inet", "text").value("s") == 'CAST(s."a" AS inet)'
    json = StagedColumn("doc", "json", "json")
    assert (json.comparable("s"), json.stored("t")) == ('CAST(s."doc" AS text)', 'CAST(t."doc" AS text)')
