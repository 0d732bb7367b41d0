"""Statements that find out what a staged load changes, and that apply it to the next content of the target.

Keys may hold NULL where a table's `null_safe_key` says so. `IN` and `=` never match NULL, so such a column is compared
as a pair (is it NULL, its text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from etl.model import DELETED_AT
from etl.statements.quoting import clickhouse_column, clickhouse_identifier, clickhouse_literal, clickhouse_name

CHANGE = "_etl_change"
STAGED, STORED = "_etl_staged", "_etl_stored"
"""Aliases of the two tables. Whatever a statement names itself begins with `_etl_`, as no column of a user's does:
ClickHouse takes `t.null` for what the column `t` knows of its NULLs."""


class Change(StrEnum):
    """How a key stands. Keys that stand unchanged are not listed."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"  # the row is now in another partition; its other columns may have changed too
    STALE = "stale"  # the target holds a newer version
    DELETED = "deleted"  # it stood in a replaced partition, or vanished, and is not among the staged rows
    # (nor marked as gone already, where such rows are marked)
    DUPLICATE = "duplicate"  # staged more than once


@dataclass(frozen=True)
class Comparison:
    """Two tables with equal keys: what was staged and what stands.

    `stored_columns` says, for each column of the load, the target's expression of the staged type; `final` whether the
    target's engine may hold several versions of a key. `partition_ids` are the partitions to be replaced (None: none);
    `key_decides_partition` spares the search for keys in other partitions. `equal_ids` are partitions known to stand as
    they were staged: nothing in them is looked at. `whole`: what is not staged is gone from the source; else `gone`, if
    there is one, is a table of such keys. `marks`: what is gone is marked; what is so already is not found again.
    """

    database: str
    staging: str
    target: str
    key: tuple[str, ...]
    nullable_key: frozenset[str]
    columns: tuple[str, ...]
    stored_columns: dict[str, str]
    final: bool
    version: str | None = None
    partition_ids: tuple[str, ...] | None = None
    key_decides_partition: bool = True
    whole: bool = False
    marks: bool = False
    gone: str = ""
    equal_ids: tuple[str, ...] = ()


def create_changes(comparison: Comparison, changes: str) -> str:
    """Lists every key that does not stand as staged, with its change and its stored and staged partition."""
    table = clickhouse_name(comparison.database, changes)
    keys = _names(comparison.key)
    return f"""CREATE TABLE {table} ENGINE = MergeTree ORDER BY tuple() AS
SELECT {keys}, {CHANGE}, _etl_stored_partition, _etl_staged_partition
FROM (
    SELECT {keys},
        countIf(_etl_side = 0) AS _etl_staged_rows, countIf(_etl_side = 1) AS _etl_stored_rows,
        anyIf(_etl_row, _etl_side = 0) AS _etl_staged_row, anyIf(_etl_row, _etl_side = 1) AS _etl_stored_row,
        anyIf(_etl_partition, _etl_side = 0) AS _etl_staged_partition,
        anyIf(_etl_partition, _etl_side = 1) AS _etl_stored_partition,
        {_change_expression(comparison)} AS {CHANGE}
    FROM (
        {_staged_side(comparison)}
        UNION ALL
        {_stored_side(comparison)}
    )
    GROUP BY {keys}
)
WHERE {CHANGE} != ''"""


def add_gone(comparison: Comparison, changes: str) -> str:
    """Lists the stored rows, too, whose key the source calls deleted."""
    keys = [f"{comparison.stored_columns[name]} AS {clickhouse_identifier(name)}" for name in comparison.key]
    found = ", ".join(_comparable(name, comparison.nullable_key, STORED) for name in comparison.key)
    gone = clickhouse_name(comparison.database, comparison.gone)
    unmarked = f" AND isNull({comparison.stored_columns[DELETED_AT]})" if comparison.marks else ""
    return f"""INSERT INTO {clickhouse_name(comparison.database, changes)}
SELECT {", ".join(keys)}, '{Change.DELETED}', {STORED}._partition_id, ''
FROM {_stored_rows(comparison)}
WHERE ({found}) IN (SELECT {_key_list(comparison)} FROM {gone}){unmarked}"""


def find_equal_partitions(comparison: Comparison, candidates: Sequence[str]) -> str:
    """Those of the candidates that hold the same rows on both sides, each as often: by their number and their digests'
    sum, which costs a tenth of a comparison by key."""
    staged = {name: clickhouse_column(STAGED, name) for name in comparison.columns}
    staging = clickhouse_name(comparison.database, comparison.staging)
    return f"""SELECT _etl_partition
FROM (
    {_partition_sums(comparison, staged, f"{staging} AS {STAGED}", STAGED, candidates)}
    UNION ALL
    {_partition_sums(comparison, comparison.stored_columns, _stored_rows(comparison), STORED, candidates)}
)
GROUP BY _etl_partition HAVING count() = 2 AND min(_etl_rows) = max(_etl_rows) ORDER BY _etl_partition"""


def count_changes(database: str, changes: str) -> str:
    """Rows of (change, how many keys)."""
    return f"SELECT {CHANGE}, count() FROM {clickhouse_name(database, changes)} GROUP BY {CHANGE}"


def sample_changes(database: str, changes: str, key: Sequence[str], kinds: Sequence[Change]) -> str:
    """Up to five keys, as text that survives JSON."""
    texts = ", ".join(f"toValidUTF8(ifNull(toString({clickhouse_identifier(name)}), 'NULL'))" for name in key)
    return f"SELECT {texts} FROM {clickhouse_name(database, changes)} WHERE {_is(kinds)} ORDER BY ALL LIMIT 5"


def changed_partitions(database: str, changes: str) -> str:
    """The partitions, among the staged ones, whose content is not what was staged."""
    table = clickhouse_name(database, changes)
    return f"""SELECT DISTINCT _etl_partition
FROM (
    SELECT arrayJoin([_etl_staged_partition, _etl_stored_partition]) AS _etl_partition FROM {table}
)
WHERE _etl_partition != '' ORDER BY _etl_partition"""


def delete_from_old_places(comparison: Comparison, table: str, changes: str, kinds: Sequence[Change]) -> str:
    """Removes from `table` the stored rows of keys whose change is one of `kinds`."""
    return (
        f"DELETE FROM {clickhouse_name(comparison.database, table)} WHERE {key_in_changes(comparison, changes, kinds)}"
    )


def count_partitions_left(comparison: Comparison, changes: str, kinds: Sequence[Change]) -> str:
    """How many keys with one of these changes leave a partition that is not itself replaced."""
    replaced = _literals(comparison.partition_ids or ())
    return (
        f"SELECT count() FROM {clickhouse_name(comparison.database, changes)} "
        f"WHERE {_is(kinds)} AND _etl_stored_partition NOT IN ({replaced or clickhouse_literal('')})"
    )


def insert_changes(
    comparison: Comparison, into: str, columns: Sequence[str], changes: str, kinds: Sequence[Change]
) -> str:
    """Copies the staged rows whose change is one of `kinds`, versions included."""
    names = _names(columns)
    return f"""INSERT INTO {clickhouse_name(comparison.database, into)} ({names})
SELECT {names}
FROM {clickhouse_name(comparison.database, comparison.staging)}
WHERE {key_in_changes(comparison, changes, kinds)}"""


def mark_changes(
    comparison: Comparison, table: str, columns: Sequence[str], changes: str, own: Mapping[str, str]
) -> str:
    """Inserts the rows that are gone once more, as they stand but for the columns in `own` (name → expression): the
    engine keeps the newer one."""
    name = clickhouse_name(comparison.database, table)
    selected = [own.get(each, clickhouse_identifier(each)) for each in columns]
    return f"""INSERT INTO {name} ({_names(columns)})
SELECT {", ".join(selected)}
FROM {name} FINAL
WHERE {key_in_changes(comparison, changes, [Change.DELETED])}"""


def instant(at: datetime) -> str:
    """As the columns of instants hold it."""
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"toDateTime64({clickhouse_literal(text)}, 6, 'UTC')"


def count_unmarked(comparison: Comparison, table: str, changes: str) -> str:
    """How many of the rows that are gone stand without a mark."""
    return (
        f"SELECT count() FROM {clickhouse_name(comparison.database, table)} FINAL "
        f"WHERE isNull({clickhouse_identifier(DELETED_AT)}) AND {key_in_changes(comparison, changes, [Change.DELETED])}"
    )


def key_in_changes(comparison: Comparison, changes: str, kinds: Sequence[Change]) -> str:
    keys = key_tuple(comparison.key, comparison.nullable_key)
    table = clickhouse_name(comparison.database, changes)
    return f"{keys} IN (SELECT {_key_list(comparison)} FROM {table} WHERE {_is(kinds)})"


def key_in_staging(comparison: Comparison) -> str:
    keys = key_tuple(comparison.key, comparison.nullable_key)
    staging = clickhouse_name(comparison.database, comparison.staging)
    return f"{keys} IN (SELECT {_key_list(comparison)} FROM {staging})"


def key_tuple(key: Sequence[str], nullable_key: frozenset[str]) -> str:
    """The key as IN compares it."""
    return f"({', '.join(_comparable(name, nullable_key) for name in key)})"


def count_partitions(database: str, table: str) -> str:
    """Rows of (partition id, rows)."""
    return f"SELECT _partition_id, count() FROM {clickhouse_name(database, table)} GROUP BY 1 ORDER BY 1"


def find_duplicates(database: str, table: str, key: Sequence[str]) -> str:
    """One row: how many keys are staged more than once, and one of them."""
    keys = _names(key)
    text = ", ".join(f"toValidUTF8(ifNull(toString({clickhouse_identifier(name)}), 'NULL'))" for name in key)
    return f"""SELECT count(), any(_etl_sample)
FROM (
    SELECT concat_ws(', ', {text}, '') AS _etl_sample FROM {clickhouse_name(database, table)}
    GROUP BY {keys} HAVING count() > 1
)"""


def _change_expression(comparison: Comparison) -> str:
    stale = (
        "anyIf(_etl_row_version, _etl_side = 0) < anyIf(_etl_row_version, _etl_side = 1)"
        if comparison.version
        else "false"
    )
    deleted = f"'{Change.DELETED}'"
    if comparison.marks:
        deleted = f"if(anyIf(_etl_is_marked, _etl_side = 1), '', {deleted})"
    return f"""multiIf(
            _etl_staged_rows > 1, '{Change.DUPLICATE}',
            _etl_stored_rows = 0, '{Change.NEW}',
            _etl_staged_rows = 0, {deleted},
            _etl_staged_row = _etl_stored_row AND _etl_staged_partition = _etl_stored_partition, '',
            {stale}, '{Change.STALE}',
            _etl_staged_partition != _etl_stored_partition, '{Change.MOVED}',
            '{Change.CHANGED}'
        )"""


def _staged_side(comparison: Comparison) -> str:
    columns = {name: clickhouse_column(STAGED, name) for name in comparison.columns}
    staging = clickhouse_name(comparison.database, comparison.staging)
    where = f" WHERE {_outside(comparison, STAGED)}" if comparison.equal_ids else ""
    return f"SELECT {_side(comparison, columns, STAGED, 0)} FROM {staging} AS {STAGED}{where}"


def _stored_side(comparison: Comparison) -> str:
    scope = _scope(comparison)
    where = f"{_outside(comparison, STORED)} AND ({scope})" if comparison.equal_ids else scope
    columns = _side(comparison, comparison.stored_columns, STORED, 1)
    return f"SELECT {columns} FROM {_stored_rows(comparison)} WHERE {where}"


def _stored_rows(comparison: Comparison) -> str:
    final = " FINAL" if comparison.final else ""
    return f"{clickhouse_name(comparison.database, comparison.target)} AS {STORED}{final}"


def _partition_sums(
    comparison: Comparison, columns: dict[str, str], rows: str, alias: str, candidates: Sequence[str]
) -> str:
    return (
        f"SELECT {alias}._partition_id AS _etl_partition, (count(), sum({_digest(comparison, columns)})) AS _etl_rows "
        f"FROM {rows} WHERE {alias}._partition_id IN ({_literals(candidates)}) GROUP BY _etl_partition"
    )


def _outside(comparison: Comparison, alias: str) -> str:
    return f"{alias}._partition_id NOT IN ({_literals(comparison.equal_ids)})"


def _side(comparison: Comparison, columns: dict[str, str], alias: str, side: int) -> str:
    """The digest stands for the row: comparing it costs 16 bytes a key instead of the whole row."""
    keys = [f"{columns[name]} AS {clickhouse_identifier(name)}" for name in comparison.key]
    row = f"{_digest(comparison, columns)} AS _etl_row"
    version = [f"{columns[comparison.version]} AS _etl_row_version"] if comparison.version else []
    marked = [f"isNotNull({columns[DELETED_AT]}) AS _etl_is_marked"] if comparison.marks else []
    return ", ".join(
        [*keys, row, *version, *marked, f"{alias}._partition_id AS _etl_partition", f"{side} AS _etl_side"]
    )


def _digest(comparison: Comparison, columns: dict[str, str]) -> str:
    """128 bits of a row: two hashes of 64 are a third cheaper than sipHash128, and a number is than its bytes."""
    row = f"tuple({', '.join(columns[name] for name in comparison.columns)})"
    return f"bitOr(bitShiftLeft(toUInt128(cityHash64({row})), 64), toUInt128(xxh3({row})))"


def _scope(comparison: Comparison) -> str:
    if comparison.whole:
        return "true"
    keys = ", ".join(_comparable(name, comparison.nullable_key, STORED) for name in comparison.key)
    staging = clickhouse_name(comparison.database, comparison.staging)
    where = f" WHERE _partition_id NOT IN ({_literals(comparison.equal_ids)})" if comparison.equal_ids else ""
    by_key = f"({keys}) IN (SELECT {_key_list(comparison)} FROM {staging}{where})"
    if comparison.partition_ids is None:
        return by_key
    by_partition = f"{STORED}._partition_id IN ({_literals(comparison.partition_ids)})"
    return by_partition if comparison.key_decides_partition else f"{by_partition} OR {by_key}"


def _comparable(name: str, nullable_key: frozenset[str], alias: str | None = None) -> str:
    column = clickhouse_column(alias, name) if alias else clickhouse_identifier(name)
    return f"isNull({column}), ifNull(toString({column}), '')" if name in nullable_key else column


def _key_list(comparison: Comparison) -> str:
    return ", ".join(_comparable(name, comparison.nullable_key) for name in comparison.key)


def _is(kinds: Sequence[Change]) -> str:
    return f"{CHANGE} IN ({_literals(kinds)})"


def _literals(texts: Sequence[str]) -> str:
    return ", ".join(clickhouse_literal(text) for text in texts)


def _names(columns: Sequence[str]) -> str:
    return ", ".join(clickhouse_identifier(name) for name in columns)
