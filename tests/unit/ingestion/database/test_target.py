"""What fits into what, and how a missing table is made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.errors import SchemaMismatchError, UsageError
from etl.ingestion.database.target import (
    TargetColumn,
    TargetTable,
    advance_sequences_sql,
    check_target,
    create_awaiting_sql,
    create_table_sql,
    fits,
    table_to_be,
)
from etl.ingestion.model import Header, Mode, UploadOptions

OPTIONS = UploadOptions(("a.csv",), "t", (Header("id"), Header("name")), primary_key=("id",))
COLUMNS = (TargetColumn("id", "bigint", not_null=True), TargetColumn("name", "text"))
TARGET = TargetTable("public", "t", COLUMNS, (frozenset({"id"}),))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("bigint", "bigint"),
        ("bigint", "smallint"),
        ("smallint", "numeric(10,2)"),
        ("integer", "double precision"),
        ("numeric(20,0)", "numeric(5,2)"),
        ("real", "numeric"),
        ("double precision", "real"),
        ("boolean", "text"),
        ("jsonb", "character varying(10)"),
        ("jsonb", "json"),
        ("text", "uuid"),
        ("text", "jsonb"),
        ("text", "inet"),
        ("text", "mood"),
        ("timestamp with time zone", "timestamp(3) with time zone"),
        ("character varying(9)", "character(3)"),
    ],
)
def test_what_fits(source: str, target: str) -> None:
    assert fits(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("numeric(10,2)", "bigint"),
        ("double precision", "integer"),
        ("boolean", "integer"),
        ("bigint", "boolean"),
        ("text", "bigint"),
        ("text", "date"),
        ("text", "boolean"),
        ("date", "timestamp with time zone"),
        ("bytea", "uuid"),
        ("timestamp with time zone", "timestamp without time zone"),
        ("timestamp without time zone", "timestamp with time zone"),
        ("json", "jsonb"),
    ],
)
def test_what_does_not_fit(source: str, target: str) -> None:
    assert not fits(source, target)


def test_a_time_without_zone_becomes_an_instant_where_the_zone_is_known() -> None:
    assert fits("timestamp without time zone", "timestamp with time zone", has_timezone=True)
    assert not fits("timestamp with time zone", "timestamp without time zone", has_timezone=True)
    assert not fits("date", "timestamp with time zone", has_timezone=True)


def test_a_table_is_made_of_text_unless_types_are_given() -> None:
    headers = (Header("id"), Header("order", "numeric(10,2)"))
    assert create_table_sql("Sales.t", headers, ("id",)) == (
        'CREATE TABLE IF NOT EXISTS "Sales"."t" ("id" text, "order" numeric(10,2), PRIMARY KEY ("id"))'
    )
    assert create_table_sql("t", headers[:1], ()) == 'CREATE TABLE IF NOT EXISTS "t" ("id" text)'
    assert create_table_sql("t", headers, ("order", "id")).endswith('PRIMARY KEY ("order", "id"))')


def test_a_table_that_awaits_its_key_says_so_from_its_first_moment() -> None:
    headers = (Header("id"), Header("n", "bigint"))
    assert create_awaiting_sql("Sales.t", headers, ("id",)) == (
        'CREATE TABLE "Sales"."t" ("id" text NOT NULL, "n" bigint); SAVEPOINT before_the_key; '
        'ALTER TABLE "Sales"."t" ADD PRIMARY KEY ("id"); ROLLBACK TO SAVEPOINT before_the_key; '
        'COMMENT ON TABLE "Sales"."t" IS \'the uploader adds the primary key when its load has ended: ["id"]\''
    )


def test_an_awaited_key_will_do_and_another_will_not() -> None:
    awaiting = replace(TARGET, unique_keys=(), awaited_key=("id",))
    check_target(awaiting, OPTIONS, {})
    with pytest.raises(SchemaMismatchError, match="no unique index"):
        check_target(awaiting, replace(OPTIONS, primary_key=("name",)), {})


@pytest.mark.parametrize(("table", "column"), [("a;b", "id"), ("t", 'id" text); drop table u; --'), ("a.b.c", "id")])
def test_a_table_of_another_name_is_not_made(table: str, column: str) -> None:
    with pytest.raises(UsageError):
        create_table_sql(table, (Header(column),), ())


def test_what_would_be_made_is_what_a_dry_run_checks() -> None:
    made = table_to_be("sales.t", (Header("id", "bigint"), Header("name")), ("id",))
    assert made.sql == '"sales"."t"'
    assert made.types == {"id": "bigint", "name": "text"}
    assert (made.exists, made.is_empty, made.unique_keys) == (False, True, (frozenset({"id"}),))
    assert table_to_be("t", (Header("id"),), ()).sql == '"t"'
    check_target(made, OPTIONS, {})


def test_a_table_that_fits_passes() -> None:
    check_target(TARGET, OPTIONS, {"id": "integer", "name": "date"})
    check_target(TARGET, replace(OPTIONS, headers=(Header("id"),)), {})


def test_a_column_that_must_be_given_is_asked_for_unless_the_table_knows_it() -> None:
    must = TargetColumn("must", "integer", not_null=True)
    for known in ({"has_default": True}, {"identity": "d"}, {"identity": "a"}, {"generated": "s"}):
        check_target(replace(TARGET, columns=(*COLUMNS, replace(must, **known))), OPTIONS, {})
    with pytest.raises(SchemaMismatchError, match="column must: NOT NULL without a default"):
        check_target(replace(TARGET, columns=(*COLUMNS, must)), OPTIONS, {})


def test_a_key_is_asked_of_upserts_only() -> None:
    without = replace(TARGET, unique_keys=(frozenset({"id", "name"}),))
    check_target(without, replace(OPTIONS, mode=Mode.APPEND), {})
    with pytest.raises(SchemaMismatchError, match=r'CREATE UNIQUE INDEX CONCURRENTLY ON "public"."t" \("id"\)'):
        check_target(without, OPTIONS, {})


def test_all_faults_are_told_together() -> None:
    options = replace(OPTIONS, headers=(*OPTIONS.headers, Header("lost")), primary_key=("name",))
    with pytest.raises(SchemaMismatchError) as caught:
        check_target(TARGET, options, {"id": "boolean"})
    assert caught.value.message.count("\n") == 3


def test_only_sequences_of_loaded_columns_are_advanced() -> None:
    sequence = {"schema": "public", "name": "t_id_seq", "ascending": True}
    target = replace(TARGET, columns=(replace(COLUMNS[0], sequence=sequence), COLUMNS[1]))
    (statement,) = advance_sequences_sql(target, ["id", "name"])
    assert '"public"."t_id_seq"' in statement
    assert advance_sequences_sql(target, ["name"]) == []
