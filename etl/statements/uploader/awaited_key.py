"""SQL of a table that is loaded without its primary key, and given it when its rows are there.

Until then the table's comment says so, with the key: it was written by the transaction that made the table, and goes
with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from etl.statements.quoting import postgresql_known_identifier, postgresql_literal
from etl.statements.uploader.merging import quote_identifier

SAVE = "SAVEPOINT before_the_key"
ROLL_BACK = "ROLLBACK TO SAVEPOINT before_the_key"

_AWAITED = "the uploader adds the primary key when its load has ended: "


def column_definitions(columns: Sequence[tuple[str, str]], key: Sequence[str]) -> str:
    """`columns`: (name, type). What PRIMARY KEY would say of NULL is said at once."""
    return ", ".join(f"{quote_identifier(name)} {kind}{' NOT NULL' if name in key else ''}" for name, kind in columns)


def await_key(target: str, key: Sequence[str]) -> str:
    return f"COMMENT ON TABLE {target} IS {postgresql_literal(_AWAITED + orjson.dumps(list(key)).decode())}"


def awaited_key(comment: str | None) -> tuple[str, ...]:
    """Empty where the table awaits none."""
    if comment is None or not comment.startswith(_AWAITED):
        return ()
    try:
        names = orjson.loads(comment.removeprefix(_AWAITED))
    except orjson.JSONDecodeError:
        return ()
    is_key = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_key else ()


def lock_for_key(target: str) -> str:
    """What ADD PRIMARY KEY takes in any case, asked for at once: from a weaker one two sessions would deadlock."""
    return f"LOCK TABLE {target} IN ACCESS EXCLUSIVE MODE"


def try_key(target: str, key: Sequence[str]) -> str:
    """In a transaction: what is wrong with the columns themselves is told now."""
    return f"{SAVE}; {add_key(target, key)}; {ROLL_BACK}"


def add_key(target: str, key: Sequence[str]) -> str:
    return f"ALTER TABLE {target} ADD PRIMARY KEY ({_names(key)})"


def forget_awaited(target: str) -> str:
    return f"COMMENT ON TABLE {target} IS NULL"


def take_out(target: str, key: Sequence[str], *, rows_of_key: int) -> str:
    """Takes out every batch with a key that so many rows or more have: its rows, its rejects and its entry. (load_id,
    batches taken out) a row; $1 is the table as the manifest knows it.

    A batch is one transaction, so that xmin says whose a row is. What others have written or changed stays.
    """
    return f"""WITH keyed AS (
    SELECT xmin AS written_by, count(*) OVER (PARTITION BY {_names(key)}) AS rows FROM {target}
), clashing AS (
    SELECT b.load_id, b.batch_idx, b.xmin AS written_by
    FROM ingestion_batches AS b JOIN ingestion_manifest AS m USING (load_id)
    WHERE m.target_table = $1 AND b.xmin IN (SELECT written_by FROM keyed WHERE rows >= {rows_of_key})
), rows_out AS (
    DELETE FROM {target} WHERE xmin IN (SELECT written_by FROM clashing)
), rejects_out AS (
    DELETE FROM ingestion_rejects AS r USING clashing AS c WHERE r.load_id = c.load_id AND r.batch_idx = c.batch_idx
), batches_out AS (
    DELETE FROM ingestion_batches AS b USING clashing AS c WHERE b.load_id = c.load_id AND b.batch_idx = c.batch_idx
)
SELECT load_id, count(*) FROM clashing GROUP BY load_id"""


def has_rows(target: str) -> str:
    return f"SELECT EXISTS (SELECT FROM {target})"


def empty(target: str) -> str:
    """Where nothing is left: an index is built of rows that its own transaction has deleted, too."""
    return f"TRUNCATE {target}"


def _names(key: Sequence[str]) -> str:
    return ", ".join(map(postgresql_known_identifier, key))
