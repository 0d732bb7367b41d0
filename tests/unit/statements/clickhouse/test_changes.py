from dataclasses import replace
from datetime import UTC, datetime

from etl.statements.clickhouse.changes import (
    Change,
    Comparison,
    add_gone,
    changed_partitions,
    count_changes,
    count_partitions,
    count_partitions_left,
    count_unmarked,
    create_changes,
    delete_from_old_places,
    find_duplicates,
    find_equal_partitions,
    insert_changes,
    instant,
    key_in_staging,
    mark_changes,
    sample_changes,
)

MERGE = Comparison(
    database="db",
    staging="s",
    target="t",
    key=("id",),
    nullable_key=frozenset(),
    columns=("id", "n"),
    stored_columns={"id": "_etl_stored.`id`", "n": "CAST(_etl_stored.`n`, 'Int64')"},
    final=True,
)


def digest(row: str) -> str:
    return f"bitOr(bitShiftLeft(toUInt128(cityHash64({row})), 64), toUInt128(xxh3({row})))"


def test_create_changes_compares_each_key_on_both_sides() -> None:
    assert (
        create_changes(MERGE, "c") == """CREATE TABLE `db`.`c` ENGINE = MergeTree ORDER BY tuple() AS
SELECT `id`, _etl_change, _etl_stored_partition, _etl_staged_partition
FROM (
    SELECT `id`,
        countIf(_etl_side = 0) AS _etl_staged_rows, countIf(_etl_side = 1) AS _etl_stored_rows,
        anyIf(_etl_row, _etl_side = 0) AS _etl_staged_row, anyIf(_etl_row, _etl_side = 1) AS _etl_stored_row,
        anyIf(_etl_partition, _etl_side = 0) AS _etl_staged_partition,
        anyIf(_etl_partition, _etl_side = 1) AS _etl_stored_partition,
        multiIf(
            _etl_staged_rows > 1, 'duplicate',
            _etl_stored_rows = 0, 'new',
            _etl_staged_rows = 0, 'deleted',
            _etl_staged_row = _etl_stored_row AND _etl_staged_partition = _etl_stored_partition, '',
            false, 'stale',
            _etl_staged_partition != _etl_stored_partition, 'moved',
            'changed'
        ) AS _etl_change
    FROM (
        SELECT _etl_staged.`id` AS `id`, """
        f"""{digest("tuple(_etl_staged.`id`, _etl_staged.`n`)")} AS _etl_row, """
        """_etl_staged._partition_id AS _etl_partition, 0 AS _etl_side FROM `db`.`s` AS _etl_staged
        UNION ALL
        SELECT _etl_stored.`id` AS `id`, """
        f"""{digest("tuple(_etl_stored.`id`, CAST(_etl_stored.`n`, 'Int64'))")} AS _etl_row, """
        """_etl_stored._partition_id AS _etl_partition, 1 AS _etl_side """
        """FROM `db`.`t` AS _etl_stored FINAL WHERE (_etl_stored.`id`) IN """
        """(SELECT `id` FROM `db`.`s`)
    )
    GROUP BY `id`
)
WHERE _etl_change != ''"""
    )


def test_partitions_that_stand_as_staged_are_left_out() -> None:
    assert (
        find_equal_partitions(MERGE, ["202501"]) == """SELECT _etl_partition
FROM (
    SELECT _etl_staged._partition_id AS _etl_partition, (count(), """
        f"""sum({digest("tuple(_etl_staged.`id`, _etl_staged.`n`)")})) AS _etl_rows """
        """FROM `db`.`s` AS _etl_staged WHERE _etl_staged._partition_id IN ('202501') GROUP BY _etl_partition
    UNION ALL
    SELECT _etl_stored._partition_id AS _etl_partition, (count(), """
        f"""sum({digest("tuple(_etl_stored.`id`, CAST(_etl_stored.`n`, 'Int64'))")})) AS _etl_rows """
        """FROM `db`.`t` AS _etl_stored FINAL WHERE _etl_stored._partition_id IN ('202501') GROUP BY _etl_partition
)
GROUP BY _etl_partition HAVING count() = 2 AND min(_etl_rows) = max(_etl_rows) ORDER BY _etl_partition"""
    )
    text = create_changes(replace(MERGE, equal_ids=("202501",)), "c")
    assert "FROM `db`.`s` AS _etl_staged WHERE _etl_staged._partition_id NOT IN ('202501')\n" in text
    assert (
        "FINAL WHERE _etl_stored._partition_id NOT IN ('202501') AND ((_etl_stored.`id`) IN "
        "(SELECT `id` FROM `db`.`s` WHERE _partition_id NOT IN ('202501')))\n" in text
    )


def test_a_version_makes_older_rows_stale() -> None:
    text = create_changes(replace(MERGE, version="n"), "c")

    assert "anyIf(_etl_row_version, _etl_side = 0) < anyIf(_etl_row_version, _etl_side = 1), 'stale'," in text
    assert "_etl_staged.`n` AS _etl_row_version" in text
    assert "CAST(_etl_stored.`n`, 'Int64') AS _etl_row_version" in text


def test_replaced_partitions_are_compared_whole() -> None:
    by_day = replace(MERGE, partition_ids=("20250101", "20250102"), final=False)
    elsewhere = replace(by_day, key_decides_partition=False)

    assert (
        create_changes(by_day, "c").count(
            "AS _etl_stored WHERE _etl_stored._partition_id IN ('20250101', '20250102')\n"
        )
        == 1
    )
    assert (
        "AS _etl_stored WHERE _etl_stored._partition_id IN ('20250101', '20250102') "
        "OR (_etl_stored.`id`) IN (SELECT `id` FROM `db`.`s`)\n" in create_changes(elsewhere, "c")
    )


def test_keys_that_may_be_null_are_compared_as_pairs() -> None:
    null_safe = replace(MERGE, key=("id", "n"), nullable_key=frozenset({"n"}))

    assert key_in_staging(null_safe) == (
        "(`id`, isNull(`n`), ifNull(toString(`n`), '')) IN "
        "(SELECT `id`, isNull(`n`), ifNull(toString(`n`), '') FROM `db`.`s`)"
    )


def test_what_is_asked_of_the_changes() -> None:
    assert count_changes("db", "c") == "SELECT _etl_change, count() FROM `db`.`c` GROUP BY _etl_change"
    assert sample_changes("db", "c", ["id"], [Change.CHANGED, Change.MOVED]) == (
        "SELECT toValidUTF8(ifNull(toString(`id`), 'NULL')) FROM `db`.`c` "
        "WHERE _etl_change IN ('changed', 'moved') ORDER BY ALL LIMIT 5"
    )
    assert count_partitions("db", "s") == "SELECT _partition_id, count() FROM `db`.`s` GROUP BY 1 ORDER BY 1"
    assert count_partitions_left(replace(MERGE, partition_ids=("a",)), "c", [Change.MOVED, Change.DELETED]) == (
        "SELECT count() FROM `db`.`c` WHERE _etl_change IN ('moved', 'deleted') AND _etl_stored_partition NOT IN ('a')"
    )
    assert "arrayJoin([_etl_staged_partition, _etl_stored_partition]) AS _etl_partition FROM `db`.`c`" in (
        changed_partitions("db", "c")
    )
    assert "GROUP BY `id`, `n` HAVING count() > 1" in find_duplicates("db", "s", ["id", "n"])


def test_changes_are_applied_by_key() -> None:
    assert delete_from_old_places(MERGE, "n", "c", [Change.MOVED]) == (
        "DELETE FROM `db`.`n` WHERE (`id`) IN (SELECT `id` FROM `db`.`c` WHERE _etl_change IN ('moved'))"
    )
    assert (
        insert_changes(MERGE, "n", ["id", "n", "_etl_version"], "c", [Change.NEW, Change.CHANGED])
        == """INSERT INTO `db`.`n` (`id`, `n`, `_etl_version`)
SELECT `id`, `n`, `_etl_version`
FROM `db`.`s`
WHERE (`id`) IN (SELECT `id` FROM `db`.`c` WHERE _etl_change IN ('new', 'changed'))"""
    )


MARK = "_etl_stored.`_etl_deleted_at`"
MARKING = replace(
    MERGE,
    columns=("id", "n", "_etl_deleted_at"),
    stored_columns={**MERGE.stored_columns, "_etl_deleted_at": MARK},
    marks=True,
)


def test_what_is_marked_already_is_not_gone_again() -> None:
    changes = create_changes(replace(MARKING, whole=True), "c")
    assert "_etl_staged_rows = 0, if(anyIf(_etl_is_marked, _etl_side = 1), '', 'deleted')," in changes
    assert f"isNotNull({MARK}) AS _etl_is_marked" in changes
    assert "isNotNull(_etl_staged.`_etl_deleted_at`) AS _etl_is_marked" in changes
    assert "_etl_is_marked" not in create_changes(replace(MERGE, whole=True), "c")


def test_keys_that_the_source_calls_deleted_are_among_the_changes() -> None:
    listed = """INSERT INTO `db`.`c`
SELECT _etl_stored.`id` AS `id`, 'deleted', _etl_stored._partition_id, ''
FROM `db`.`t` AS _etl_stored FINAL
WHERE (_etl_stored.`id`) IN (SELECT `id` FROM `db`.`g`)"""
    assert add_gone(replace(MERGE, gone="g"), "c") == listed
    assert add_gone(replace(MARKING, gone="g"), "c") == f"{listed} AND isNull({MARK})"


def test_a_mark_is_a_newer_version_of_the_row() -> None:
    since = instant(datetime(2026, 5, 1, 1, 2, 3, 4, tzinfo=UTC))
    assert since == "toDateTime64('2026-05-01 01:02:03.000004', 6, 'UTC')"
    gone = "(`id`) IN (SELECT `id` FROM `db`.`c` WHERE _etl_change IN ('deleted'))"
    own = {"_etl_deleted_at": since, "_etl_version": "7"}
    assert mark_changes(MARKING, "new", ["id", "_etl_deleted_at", "_etl_version"], "c", own) == (
        f"""INSERT INTO `db`.`new` (`id`, `_etl_deleted_at`, `_etl_version`)
SELECT `id`, {since}, 7
FROM `db`.`new` FINAL
WHERE {gone}"""
    )
    unmarked = f"SELECT count() FROM `db`.`new` FINAL WHERE isNull(`_etl_deleted_at`) AND {gone}"
    assert count_unmarked(MARKING, "new", "c") == unmarked
