from dataclasses import replace
from datetime import UTC, datetime

import pytest

from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.writing import Write

WRITE = Write(
    target=Table("public", "items"),
    staging=Table("etl_staging", "s_1"),
    columns=(
        StagedColumn("id", "integer", "integer"),
        StagedColumn("day", "date", "date"),
        StagedColumn("ip", "inet", "text"),
    ),
    match=("id", "day"),
    settable=("ip",),
)
KEY_ONLY = replace(WRITE, columns=WRITE.columns[:2], settable=())
WITHOUT_KEY = replace(WRITE, match=(), settable=("id", "day", "ip"))
JOIN = 't."id" = s."id" AND t."day" = s."day"'
SELECT = 'SELECT s."id", s."day", CAST(s."ip" AS inet) FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NULL'
HEAD = 'INSERT INTO "public"."items" AS t ("id", "day", "ip")'
ABSENT = f'NOT EXISTS (SELECT FROM "public"."items" AS t WHERE {JOIN})'
DIFFERS = 'record_image_ne(ROW(t."ip"), ROW(CAST(s."ip" AS inet)))'


def test_create_filled_in_key_order() -> None:
    values = 's."id" AS "id", s."day" AS "day", CAST(s."ip" AS inet) AS "ip"'
    source = 'FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NULL'
    create = f'CREATE TABLE "public"."items" AS SELECT {values} {source}'
    assert writing.create_filled(WRITE) == f'{create} ORDER BY s."id", s."day"'
    assert writing.create_filled(WITHOUT_KEY) == create


def test_insert_all_in_key_order() -> None:
    assert writing.insert_all(WRITE) == f'{HEAD} {SELECT} ORDER BY s."id", s."day"'
    assert writing.insert_all(WITHOUT_KEY) == f"{HEAD} {SELECT}"
    overriding = writing.insert_all(replace(WRITE, overriding=True))
    assert overriding == f'{HEAD} OVERRIDING SYSTEM VALUE {SELECT} ORDER BY s."id", s."day"'


def test_insert_new_arbitrates_by_the_conflict_target() -> None:
    head = f'{HEAD} {SELECT} AND {ABSENT} ORDER BY s."id", s."day" ON CONFLICT ("id", "day")'
    assert writing.insert_new(WRITE, update_raced=False) == f"{head} DO NOTHING"
    assert writing.insert_new(WRITE, update_raced=True) == (
        f'{head} DO UPDATE SET "ip" = excluded."ip" WHERE record_image_ne(ROW(t."ip"), ROW(excluded."ip"))'
    )


def test_key_columns_only_do_nothing_on_conflict() -> None:
    assert writing.insert_new(KEY_ONLY, update_raced=True).endswith('ON CONFLICT ("id", "day") DO NOTHING')


def test_without_a_key_there_is_no_conflict() -> None:
    assert writing.insert_new(WITHOUT_KEY, update_raced=False) == f"{HEAD} {SELECT} AND true"


def test_update_leaves_equal_rows_alone() -> None:
    assert writing.update_changed(WRITE) == (
        'UPDATE "public"."items" AS t SET "ip" = CAST(s."ip" AS inet) FROM ('
        'SELECT s.* FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NULL ORDER BY s."id", s."day") AS s '
        f"WHERE {JOIN} AND {DIFFERS}"
    )


def test_null_safe_join_compares_rows_as_text() -> None:
    assert f'WHERE CAST(ROW(t."id", t."day") AS text) = CAST(ROW(s."id", s."day") AS text) AND {DIFFERS}' in (
        writing.update_changed(replace(WRITE, null_safe=True))
    )


def test_deletes() -> None:
    staged = f'SELECT FROM "etl_staging"."s_1" AS s WHERE {JOIN} AND s._etl_rule IS NULL'
    assert writing.delete_missing(WRITE) == f'DELETE FROM "public"."items" AS t WHERE NOT EXISTS ({staged})'
    assert writing.delete_all(WRITE) == 'DELETE FROM "public"."items"'
    assert writing.still_needed(WRITE, Table("public", "c"), ["i", "d"], ["id", "day"]) == (
        'SELECT t."id", t."day", count(*) OVER () FROM "public"."items" AS t '
        f'WHERE NOT EXISTS ({staged}) AND EXISTS (SELECT FROM "public"."c" AS c '
        'WHERE c."i" = t."id" AND c."d" = t."day") LIMIT 5'
    )


def test_classify() -> None:
    assert writing.classify(WRITE) == (
        "SELECT accepted - present, present - differing, differing FROM ("
        "SELECT count(*) AS accepted, count(t.ctid) AS present, "
        f"count(*) FILTER (WHERE t.ctid IS NOT NULL AND {DIFFERS}) AS differing "
        f'FROM "etl_staging"."s_1" AS s LEFT JOIN "public"."items" AS t ON {JOIN} WHERE s._etl_rule IS NULL) AS c'
    )
    assert "t.ctid IS NOT NULL AND false" in writing.classify(KEY_ONLY)


def test_samples_and_counts() -> None:
    joined = f'FROM "etl_staging"."s_1" AS s JOIN "public"."items" AS t ON {JOIN} WHERE s._etl_rule IS NULL'
    assert writing.differing_keys(WRITE) == (
        f'SELECT t."id", t."day" {joined} AND {DIFFERS} ORDER BY t."id", t."day" LIMIT 5'
    )
    assert writing.count_published(WRITE, ["ip"]) == f"SELECT count(*), count(*) FILTER (WHERE {DIFFERS}) {joined}"
    assert writing.count_outcomes(WRITE) == (
        "SELECT count(*) FILTER (WHERE s._etl_rule IS NULL), count(*) FILTER (WHERE s._etl_rule IS NOT NULL) "
        'FROM "etl_staging"."s_1" AS s'
    )
    assert writing.checksum_target(WRITE, ["sum(t.a)"], whole=False) == f"SELECT count(*), sum(t.a) {joined}"
    assert writing.checksum_target(WRITE, ["sum(t.a)"], whole=True) == (
        'SELECT count(*), sum(t.a) FROM "public"."items" AS t'
    )
    assert writing.checksum_target(WRITE, ["sum(t.a)"], ["ip"], whole=False) == (
        f"SELECT count(*), sum(t.a), count(*) FILTER (WHERE {DIFFERS}) {joined}"
    )
    assert writing.checksum_staging(WRITE, []) == 'SELECT count(*) FROM "etl_staging"."s_1" AS s'


def test_key_checks() -> None:
    source = 'FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NULL'
    assert writing.count_nulls(WRITE, ["id", "day"]) == (
        f'SELECT count(*) FILTER (WHERE s."id" IS NULL), count(*) FILTER (WHERE s."day" IS NULL) {source}'
    )
    assert writing.duplicate_keys(WRITE) == (
        f'SELECT s."id", s."day", count(*) OVER () {source} GROUP BY s."id", s."day" HAVING count(*) > 1 LIMIT 5'
    )


def test_emptiness_and_locks() -> None:
    assert writing.is_empty(WRITE.target) == 'SELECT NOT EXISTS (SELECT FROM "public"."items")'
    assert writing.lock_against_writers(WRITE.target) == 'LOCK TABLE "public"."items" IN SHARE ROW EXCLUSIVE MODE'


def test_same_content_counts_repeated_rows() -> None:
    accepted = 'FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NULL'
    assert writing.same_content(WITHOUT_KEY) == (
        f'SELECT (SELECT count(*) FROM "public"."items") = (SELECT count(*) {accepted}) AND NOT EXISTS ('
        f'SELECT CAST(ROW(s."id", s."day", CAST(s."ip" AS inet)) AS text) {accepted} '
        'EXCEPT ALL SELECT CAST(ROW(t."id", t."day", t."ip") AS text) FROM "public"."items" AS t)'
    )


def test_unknown_column_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(StopIteration):
        WRITE.column("nowhere")


@pytest.mark.parametrize(("columns", "is_wide"), [(799, False), (800, True)])
def test_more_columns_than_a_row_of_a_join_holds_are_compared_in_its_condition(columns: int, is_wide: bool) -> None:
    names = [f"c{number}" for number in range(columns)]
    staged = tuple(StagedColumn(name, "integer", "integer") for name in names)
    write = replace(WRITE, columns=staged, match=("c0",), settable=tuple(names[1:]))
    joined = f'FROM {write.staging.sql} AS s JOIN {write.target.sql} AS t ON t."c0" = s."c0" WHERE s._etl_rule IS NULL'
    for statement in (writing.classify(write), writing.count_published(write, write.settable)):
        assert (f"(SELECT count(*) {joined})" in statement) == is_wide
        assert (f"{joined} AND " in statement) == is_wide
        assert ("FILTER" in statement) != is_wide


def test_what_is_gone_is_marked_or_deleted() -> None:
    """What was not staged of a whole reading; or what is listed, looked up before all rows are counted."""
    twin = f'SELECT FROM "etl_staging"."s_1" AS s WHERE {JOIN}'
    since = datetime(2026, 5, 1, 1, 2, 3, 4, tzinfo=UTC)
    marked = (
        'UPDATE "public"."items" AS t SET "_etl_deleted_at" = '
        "TIMESTAMP WITH TIME ZONE '2026-05-01T01:02:03.000004+00:00' "
        'WHERE t."_etl_deleted_at" IS NULL AND'
    )
    assert writing.mark_vanished(WRITE, since) == f"{marked} NOT EXISTS ({twin})"
    stored = 'FROM "public"."items" AS t WHERE t."_etl_deleted_at" IS NULL'
    assert writing.count_vanished(WRITE, unmarked=True) == (
        f"SELECT count(*) FILTER (WHERE NOT EXISTS ({twin})), count(*) {stored}"
    )
    listed = replace(WRITE, lists_gone=True)
    assert writing.mark_vanished(listed, since) == f"{marked} EXISTS ({twin})"
    assert writing.delete_vanished(listed, []) == f'DELETE FROM "public"."items" AS t WHERE EXISTS ({twin})'
    assert writing.count_vanished(listed, unmarked=True) == (
        f"SELECT gone, CASE WHEN gone > 0 THEN (SELECT count(*) {stored}) ELSE 0 END "
        f"FROM (SELECT count(*) AS gone {stored} AND EXISTS ({twin})) AS found"
    )
