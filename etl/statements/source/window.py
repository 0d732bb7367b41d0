"""Which rows of a source table an extraction means, as SQL, and the one statement that measures them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from etl.model import ColumnDefinition
from etl.statements.quoting import postgresql_identifier, postgresql_literal, postgresql_name
from etl.statements.source.fingerprint import fingerprint
from etl.statements.source.transactions import Transactions, written_by
from etl.statements.source.widths import widest_row


@dataclass(frozen=True)
class Window:
    """A span of watermarks, in the text PostgreSQL prints them in (UTC); without bounds it is the whole table.

    `lower` is exclusive and `upper` inclusive unless said otherwise. `overlap_seconds` reaches back behind `lower` for
    rows that were committed late; `unseen` are transactions whose rows are taken whatever is below them, up to `upper`.
    `partitions` are days (UTC) of the date column that are read whole on top of it. Rows without a watermark belong to
    every window: no mark will ever reach them.
    """

    lower: str | None = None
    upper: str | None = None
    lower_inclusive: bool = False
    upper_inclusive: bool = True
    overlap_seconds: int = 0
    partitions: tuple[date, ...] | None = None
    unseen: Transactions | None = None

    @property
    def is_whole_table(self) -> bool:
        return self.lower is None and self.upper is None


def window_condition(window: Window, watermark: ColumnDefinition | None, date_column: ColumnDefinition | None) -> str:
    """A condition on the table's columns; `true` for the whole table."""
    if watermark is None or window.is_whole_table:
        return "true"
    condition = _within_marks(window, watermark)
    if window.partitions and date_column is not None:
        days = ", ".join(f"DATE {postgresql_literal(day.isoformat())}" for day in window.partitions)
        condition = f"({condition} OR {day_of(date_column)} = ANY (ARRAY[{days}]))"
    return condition


def day_of(column: ColumnDefinition) -> str:
    """The day (UTC) a row of the lake stands under; the clock of a column without zone is UTC's."""
    name = postgresql_identifier(column.name)
    if column.type.startswith("timestamp") and column.type.endswith("with time zone"):
        return f"({name} AT TIME ZONE 'UTC')::date"
    return f"{name}::date" if column.type.startswith("timestamp") else name


def measure_statement(
    schema: str,
    table: str,
    window: Window,
    watermark: ColumnDefinition | None,
    date_column: ColumnDefinition | None,
    overlap_seconds: int,
    clock: str = "now()",
    *,
    columns: Sequence[ColumnDefinition],
    open_transactions: Transactions | None = None,
) -> str:
    """Rows, upper mark, the fingerprints of the window and of its tail, touched days, bytes of the widest row. The tail
    are the rows that a next window would take again: those of the overlap, and of `open_transactions`.

    The mark never passes the snapshot's own clock, so that one absurd date in the future does not hide all later rows.
    It is asked for as a value of its own: joined to the rows, it would keep the server from reading them in parallel.
    """
    source = postgresql_name(schema, table)
    widest = widest_row(columns)
    condition = window_condition(window, watermark, date_column)
    days = "NULL::date[]"
    if date_column is not None and watermark is not None and not window.is_whole_table:
        day = day_of(date_column)
        # the lake names no other day, and Python has none: rows outside become rejects
        days = f"array_agg(DISTINCT {day}) FILTER (WHERE {day} BETWEEN '0001-01-01' AND '9999-12-31')"
    if watermark is None:
        return f"SELECT count(*), NULL, {fingerprint(columns)}, NULL, {days}, {widest} FROM {source} WHERE {condition}"
    # rows that are late lie behind the mark: an index finds it without them
    in_order = _within_marks(replace(window, unseen=None), watermark)
    latest = _mark(watermark, clock)
    if open_transactions is not None and window.lower is not None:
        # where no row is newer, the tail is still told from where the mark stands
        latest = f"GREATEST({latest}, {_value(window.lower, watermark)})"
    marked = f"SELECT {latest} AS _etl_value FROM {source} WHERE {in_order}"
    mark = "(SELECT _etl_value FROM _etl_mark)"
    again = _or_unseen(_after(mark, watermark, overlap_seconds), open_transactions)
    tail = _or_without_mark(again, watermark)
    return (
        f"WITH _etl_mark AS MATERIALIZED ({marked}) "
        f"SELECT count(*), {mark}::text, {fingerprint(columns)}, {fingerprint(columns, tail)}, {days}, {widest} "
        f"FROM {source} WHERE {condition}"
    )


def block_conditions(blocks: int, partitions: int) -> list[str]:
    """Even block ranges, each a TID range scan; the last is open, for blocks that came after the count."""
    step = max(1, -(-blocks // partitions))
    starts = list(range(0, blocks, step)) or [0]
    conditions = [f"ctid >= '({start},0)'::tid AND ctid < '({start + step},0)'::tid" for start in starts[:-1]]
    return [*conditions, f"ctid >= '({starts[-1]},0)'::tid"]


def lock_statement(tables: Sequence[tuple[str, str]]) -> str:
    """Holds off TRUNCATE, ALTER and rewrites, which snapshots do not see, and nothing else."""
    return f"LOCK TABLE {', '.join(postgresql_name(*table) for table in tables)} IN ACCESS SHARE MODE"


def _mark(watermark: ColumnDefinition, clock: str) -> str:
    latest = f"max({postgresql_identifier(watermark.name)})"
    snapshot_clock = _snapshot_clock(watermark, clock)
    return (
        f"CASE WHEN {latest} > {snapshot_clock} THEN {snapshot_clock} ELSE {latest} END" if snapshot_clock else latest
    )


def _snapshot_clock(watermark: ColumnDefinition, clock: str) -> str | None:
    """`clock` is the exporting transaction's own now(): a joined reader's is later, and would pass over what was
    committed in between."""
    if not _is_temporal(watermark):
        return None
    return clock if watermark.type.endswith("with time zone") else f"({clock} AT TIME ZONE 'UTC')::{watermark.type}"


def _is_temporal(column: ColumnDefinition) -> bool:
    return column.type == "date" or column.type.startswith("timestamp")


def _within_marks(window: Window, watermark: ColumnDefinition) -> str:
    name = postgresql_identifier(watermark.name)
    conditions = []
    if window.lower is not None:
        lower = _value(window.lower, watermark)
        after = _after(lower, watermark, window.overlap_seconds, inclusive=window.lower_inclusive)
        conditions.append(_or_unseen(after, window.unseen))
    if window.upper is not None:
        operator = "<=" if window.upper_inclusive else "<"
        conditions.append(f"{name} {operator} {_value(window.upper, watermark)}")
    if not conditions:
        return "true"
    return f"({_or_without_mark(' AND '.join(conditions), watermark)})"


def _value(mark: str, watermark: ColumnDefinition) -> str:
    return f"{postgresql_literal(mark)}::{watermark.type}"


def _or_unseen(condition: str, transactions: Transactions | None) -> str:
    """One reading of the table answers both: no index knows `xmin`, so that a UNION would read it as well."""
    return condition if transactions is None else f"({condition} OR {written_by(transactions)})"


def _or_without_mark(condition: str, watermark: ColumnDefinition) -> str:
    return f"{condition} OR {postgresql_identifier(watermark.name)} IS NULL" if watermark.nullable else condition


def _after(bound: str, watermark: ColumnDefinition, overlap_seconds: int, *, inclusive: bool = False) -> str:
    """Numbers have no seconds: an overlap means something for dates and instants only."""
    reach_back = f" - interval '{overlap_seconds} seconds'" if overlap_seconds and _is_temporal(watermark) else ""
    return f"{postgresql_identifier(watermark.name)} {'>=' if inclusive else '>'} {bound}{reach_back}"
