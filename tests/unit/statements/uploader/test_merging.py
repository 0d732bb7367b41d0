"""The uploader's SQL by its exact text; that PostgreSQL takes it is shown on the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.errors import UsageError
from etl.postgresql_types import base_type
from etl.statements.uploader.checks import Checks, bad_values_sql, has_bad_values_sql
from etl.statements.uploader.merging import (
    OrderBy,
    TempColumn,
    Upload,
    UploadColumn,
    create_temp_table_sql,
    deduplicated_sql,
    duplicate_keys_sql,
    has_duplicate_keys_sql,
    insert_sql,
    is_text_like,
    leave_out_sql,
    lost_rows_sql,
    quote_identifier,
    quote_table,
    upsert_sql,
)

ID = UploadColumn("id", "bigint", "bigint", is_exact=True)
NAME = UploadColumn("name", "text", "text", is_exact=True)
PRICE = UploadColumn("price", "numeric(10,2)", "text")
UPLOAD = Upload('"public"."t"', "_staged", (ID, NAME, PRICE), key=("id",), settable=("name", "price"))
TWO = replace(UPLOAD, columns=(ID, NAME), settable=("name",))
KEY_ONLY = replace(UPLOAD, columns=(ID,), settable=())


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")


@pytest.mark.parametrize("name", ["id", "_x", "Mixed", "order", "a1", "x" * 63])
def test_an_identifier_is_quoted(name: str) -> None:
    assert quote_identifier(name) == f'"{name}"'


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "a b",
        "a-b",
        'a"b',
        'a"; drop table u; --',
        "a'b",
        "a;b",
        "a.b",
        "é",
        "a\n",
        "a\0",
        "x" * 64,
        "a$b",
        "٣a",
    ],
)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        quote_identifier(name)
    with pytest.raises(UsageError):
        quote_table(f"{name}.t")
    with pytest.raises(UsageError):
        create_temp_table_sql(name, [TempColumn("id", "bigint")])


def test_a_table_is_quoted_part_by_part() -> None:
    assert quote_table("t") == '"t"'
    assert quote_table("Sales.order") == '"Sales"."order"'


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a.b.c", "a..b", 'a"."b'])
def test_a_table_of_other_parts_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        quote_table(name)


def test_a_temporary_table_ends_with_its_transaction() -> None:
    columns = [TempColumn("id", "bigint", not_null=True), TempColumn("order", "numeric(10,2)")]
    assert create_temp_table_sql("_staged", columns) == (
        'CREATE TEMPORARY TABLE "_staged" ("id" bigint NOT NULL, "order" numeric(10,2)) ON COMMIT DROP'
    )
    filled = [TempColumn("note", "text", is_filled=True)]
    assert create_temp_table_sql("_staged", filled) == (
        """CREATE TEMPORARY TABLE "_staged" ("note" text DEFAULT '') ON COMMIT DROP"""
    )


def test_an_upsert_writes_in_key_order_and_only_what_is_not_the_same() -> None:
    """By bytes, where a type calls equal what is not the same."""
    assert upsert_sql(UPLOAD) == one_line("""
        WITH written AS (
            INSERT INTO "public"."t" AS t ("id", "name", "price")
            SELECT "id", "name", "price" FROM (
                SELECT s."id" AS "id", s."name" AS "name", CAST(s."price" AS numeric(10,2)) AS "price"
                FROM "_staged" AS s ORDER BY "id"
            ) AS s
            WHERE NOT EXISTS (SELECT FROM "public"."t" AS o WHERE o."id" = s."id" AND NOT (
                ROW(o."name") IS DISTINCT FROM ROW(s."name")
                OR record_image_ne(ROW(o."price"), ROW(s."price"))))
            ORDER BY "id"
            ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name", "price" = excluded."price"
            WHERE (ROW(t."name") IS DISTINCT FROM ROW(excluded."name")
            OR record_image_ne(ROW(t."price"), ROW(excluded."price")))
            RETURNING (t.xmax = 0) AS is_new
        )
        SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written""")


@pytest.mark.parametrize("is_partitioned", [False, True])
def test_where_nothing_can_be_set_nothing_is(is_partitioned: bool) -> None:
    assert upsert_sql(replace(KEY_ONLY, is_partitioned=is_partitioned)) == one_line("""
        WITH written AS (
            INSERT INTO "public"."t" AS t ("id")
            SELECT "id" FROM (SELECT s."id" AS "id" FROM "_staged" AS s ORDER BY "id") AS s
            WHERE NOT EXISTS (SELECT FROM "public"."t" AS o WHERE o."id" = s."id")
            ORDER BY "id" ON CONFLICT ("id") DO NOTHING RETURNING 1
        )
        SELECT count(*), 0::bigint FROM written""")


def test_the_keys_of_a_partitioned_table_are_looked_up() -> None:
    assert upsert_sql(replace(TWO, is_partitioned=True)) == one_line("""
        WITH chosen AS (
            SELECT "id", "name", EXISTS (SELECT FROM "public"."t" AS o WHERE o."id" = s."id") AS "@is_stored"
            FROM (SELECT s."id" AS "id", s."name" AS "name" FROM "_staged" AS s ORDER BY "id") AS s
            WHERE NOT EXISTS (SELECT FROM "public"."t" AS o WHERE o."id" = s."id" AND NOT (
                ROW(o."name") IS DISTINCT FROM ROW(s."name")))
        ), written AS (
            INSERT INTO "public"."t" AS t ("id", "name") SELECT "id", "name" FROM chosen ORDER BY "id"
            ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name"
            WHERE (ROW(t."name") IS DISTINCT FROM ROW(excluded."name")) RETURNING 1
        ), counted AS (
            SELECT count(*) FILTER (WHERE "@is_stored") AS of_stored,
            (SELECT count(*) FROM written) AS of_all FROM chosen
        )
        SELECT of_all - least(of_all, of_stored), least(of_all, of_stored) FROM counted""")


@pytest.mark.parametrize(("descending", "direction", "operator"), [(True, "DESC", ">"), (False, "ASC", "<")])
def test_an_order_decides_in_the_batch_and_against_the_stored_row(
    descending: bool, direction: str, operator: str
) -> None:
    ordered = replace(TWO, order_by=(OrderBy("name", descending),))
    later = one_line(f"""
        CASE WHEN NEW."name" IS DISTINCT FROM OLD."name"
        THEN coalesce(NEW."name" {operator} OLD."name", OLD."name" IS NULL)
        ELSE CAST(ROW(NEW."id", NEW."name") AS text) COLLATE "C"
        > CAST(ROW(OLD."id", OLD."name") AS text) COLLATE "C" END""")
    assert upsert_sql(ordered) == one_line(f"""
        WITH written AS (
            INSERT INTO "public"."t" AS t ("id", "name")
            SELECT "id", "name" FROM (
                SELECT DISTINCT ON ("id") * FROM (SELECT s."id" AS "id", s."name" AS "name" FROM "_staged" AS s) AS s
                ORDER BY "id", "name" {direction} NULLS LAST, CAST(ROW(s."id", s."name") AS text) COLLATE "C" DESC
            ) AS s
            WHERE NOT EXISTS (SELECT FROM "public"."t" AS o WHERE o."id" = s."id" AND (
                NOT (ROW(o."name") IS DISTINCT FROM ROW(s."name"))
                OR NOT {later.replace("NEW", "s").replace("OLD", "o")}))
            ORDER BY "id"
            ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name"
            WHERE (ROW(t."name") IS DISTINCT FROM ROW(excluded."name"))
            AND {later.replace("NEW", "excluded").replace("OLD", "t")}
            RETURNING (t.xmax = 0) AS is_new
        )
        SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written""")


def test_appending_asks_for_no_key_and_may_override_an_identity() -> None:
    plain = replace(UPLOAD, key=(), settable=(), columns=(ID, NAME))
    written = (
        'SELECT "id", "name" FROM (SELECT s."id" AS "id", s."name" AS "name" FROM "_staged" AS s) AS s RETURNING 1'
    )
    counted = "SELECT count(*), 0::bigint FROM written"
    insert = 'INSERT INTO "public"."t" AS t ("id", "name")'
    assert insert_sql(plain) == f"WITH written AS ({insert} {written}) {counted}"
    overriding = insert_sql(replace(plain, overriding=True))
    assert overriding == f"WITH written AS ({insert} OVERRIDING SYSTEM VALUE {written}) {counted}"


@pytest.mark.parametrize(
    ("staged", "target", "value"),
    [
        ("bigint", "bigint", 's."v"'),
        ("text", "character varying(3)", 'CAST(s."v" AS character varying)'),
        ("text", "integer", 'CAST(s."v" AS integer)'),
        ("text", "numeric(10,2)", 'CAST(s."v" AS numeric(10,2))'),
        ("text", "timestamp(3) with time zone", 'CAST(s."v" AS timestamp(3) with time zone)'),
        ("text", "bit(3)", 'CAST(s."v" AS bit varying)'),
        ("text", "integer[]", 'CAST(s."v" AS integer[])'),
        ("bigint", "character(3)", 'CAST(s."v" AS bpchar)'),
        ("text", "character varying(3)[]", 'CAST(s."v" AS character varying[])'),
        ("text", "character(3)[]", 'CAST(s."v" AS bpchar[])'),
        ("text", "bit(3)[]", 'CAST(s."v" AS bit varying[])'),
    ],
)
def test_a_value_is_assigned_so_that_no_length_is_cut_off(staged: str, target: str, value: str) -> None:
    assert UploadColumn("v", target, staged).value == value


def test_a_value_that_was_asked_is_cast_to_the_very_type() -> None:
    assert UploadColumn("v", "character(3)", "text", is_asked=True).value == 'CAST(s."v" AS character(3))'


@pytest.mark.parametrize(
    ("kind", "stored", "new"),
    [
        ("json", 't."v"', 'excluded."v"'),
        ("interval", 't."v"', 'excluded."v"'),
        ("bpchar", 't."v"', 'excluded."v"'),
        ("numeric(10,2)[]", 't."v"', 'excluded."v"'),
        ("bit(3)[]", 'CAST(t."v" AS bit varying[])', 'CAST(excluded."v" AS bit varying[])'),
    ],
)
def test_what_has_no_exact_operator_is_compared_by_its_bytes(kind: str, stored: str, new: str) -> None:
    written = upsert_sql(replace(TWO, columns=(ID, UploadColumn("v", kind, kind)), settable=("v",)))
    assert f"WHERE (record_image_ne(ROW({stored}), ROW({new})))" in written


@pytest.mark.parametrize("kind", ["text", "character varying(3)", "character(3)"])
def test_texts_that_are_equal_without_being_the_same_are_compared_letter_by_letter(kind: str) -> None:
    column = UploadColumn("v", kind, kind, collation='"x"."y"')
    written = upsert_sql(replace(TWO, columns=(ID, column), settable=("v",)))
    stored, new = (f'ROW(CAST({alias}."v" AS text) COLLATE "C")' for alias in ("t", "excluded"))
    assert f"WHERE ({stored} IS DISTINCT FROM {new})" in written
    assert 's."v" COLLATE "x"."y" AS "v"' in written


def test_keys_that_stand_twice() -> None:
    pair = replace(UPLOAD, key=("id", "price"))
    keys = 's."id", CAST(s."price" AS numeric(10,2))'
    assert has_duplicate_keys_sql(pair) == (
        'SELECT (SELECT count(*) FROM "_staged") > '
        f'(SELECT count(*) FROM (SELECT DISTINCT {keys} FROM "_staged" AS s) AS d)'
    )
    assert duplicate_keys_sql(pair, 5) == (
        f'SELECT {keys}, count(*), count(*) OVER () FROM "_staged" AS s GROUP BY 1, 2 HAVING count(*) > 1 LIMIT 5'
    )
    assert deduplicated_sql(pair) == f'SELECT count(*) - count(DISTINCT ({keys})) FROM "_staged" AS s'


def test_rows_left_out_and_rows_lost() -> None:
    assert leave_out_sql(UPLOAD) == one_line("""
        DELETE FROM "_staged" WHERE ctid = ANY (ARRAY(
            SELECT place FROM (SELECT ctid AS place, row_number() OVER (ORDER BY ctid) AS position FROM "_staged") AS p
            WHERE position = ANY ($1::bigint[])))""")
    assert lost_rows_sql(KEY_ONLY) == one_line("""
        SELECT count(*) FROM (SELECT s."id" AS "id" FROM "_staged" AS s ORDER BY "id") AS s
        WHERE NOT EXISTS (SELECT FROM "public"."t" AS o WHERE o."id" = s."id")""")


def test_bad_values_are_asked_of_the_server_in_one_pass() -> None:
    checks = Checks(fit=("price",), required=("id",))
    found = one_line("""
        SELECT s.ctid AS place, coalesce(
            CASE WHEN s."id" IS NULL
            THEN ARRAY['id', left(CAST(NULL AS text), 100), 'expected a value, found NULL'] END,
            CASE WHEN CAST(s."price" AS text) IS NOT NULL
            AND NOT pg_input_is_valid(CAST(s."price" AS text), 'numeric(10,2)')
            THEN ARRAY['price', left(CAST(s."price" AS text), 100),
            (pg_input_error_info(CAST(s."price" AS text), 'numeric(10,2)')).message] END
        ) AS bad FROM "_staged" AS s OFFSET 0""")
    assert bad_values_sql(UPLOAD, checks) == one_line(f"""
        SELECT position, bad[1], bad[2], bad[3] FROM ({found}) AS found
        JOIN (SELECT ctid AS place, row_number() OVER (ORDER BY ctid) AS position FROM "_staged") AS positions
        USING (place) WHERE bad IS NOT NULL ORDER BY position""")
    assert has_bad_values_sql(UPLOAD, checks) == (
        f"SELECT EXISTS (SELECT FROM ({found}) AS found WHERE bad IS NOT NULL)"
    )


def test_nothing_to_check_is_false() -> None:
    assert not Checks()
    assert Checks(zoned=("at",))


def test_types_without_their_modifiers() -> None:
    assert base_type("timestamp(3) without time zone") == "timestamp without time zone"
    assert base_type("numeric(10,2)") == "numeric"
    assert is_text_like("character varying(3)")
    assert not is_text_like("jsonb")
