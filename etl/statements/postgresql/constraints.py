"""Marks staged rows that break a CHECK or exclusion constraint of the target; expressions and definitions are
PostgreSQL's own words from its catalog."""

from __future__ import annotations

from collections.abc import Sequence

from etl.statements.postgresql.naming import RULE, Table, name_list
from etl.statements.postgresql.violations import REJECTED, mark, stays_put
from etl.statements.postgresql.writing import Write, matches
from etl.statements.quoting import postgresql_column, postgresql_identifier

_ROW = "_etl_row"
"""Where a row stands in the staging table."""

Elements = Sequence[tuple[str, str]]
"""(column, operator) pairs; two rows exclude one another where all operators hold."""


def count_broken_checks(write: Write, names: Sequence[str], expressions: Sequence[str]) -> str:
    """One count an expression, in one pass. `names` are the columns that the expressions speak of."""
    counts = ", ".join(f"count(*) FILTER (WHERE ({expression}) IS FALSE)" for expression in expressions)
    return f"SELECT {counts} FROM ({_as_stored(write, names)}) AS c"


def mark_broken_check(write: Write, check: str, names: Sequence[str], expression: str) -> str:
    """A CHECK that is NULL holds, as PostgreSQL has it."""
    marked = mark(f"check:{check}", f"{write.target} requires {expression}", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} FROM ("
        f"SELECT c.{_ROW} FROM ({_as_stored(write, names)}) AS c WHERE ({expression}) IS FALSE) AS e "
        f"WHERE s.ctid = e.{_ROW}"
    )


def mark_excluded(write: Write, exclusion: str, elements: Elements, *, holders_move: bool, deferrable: bool) -> str:
    """Rows that a stored row excludes, and goes on to; see `mark_taken` for what the last two arguments mean."""
    clash = " AND ".join(
        f"{postgresql_column('t', name)} {operator} {write.column(name).value('s')}" for name, operator in elements
    )
    stays = stays_put(write, [name for name, _ in elements], deferrable=deferrable) if holders_move else ""
    marked = mark(_rule(exclusion), f"another row of {write.target} excludes it", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} WHERE s.{RULE} IS NULL "
        f"AND EXISTS (SELECT FROM {write.target.sql} AS t WHERE {clash} AND NOT ({_same_row(write, 's')}){stays})"
    )


def probe_table(staging: Table) -> Table:
    return Table(staging.schema, f"{staging.name}_x")


def create_probe(write: Write, definition: str) -> list[str]:
    """An empty table with the constraint alone, which tells the rows of one load apart as the target would, by index.
    Deferrable constraints cannot arbitrate ON CONFLICT; here it makes no difference."""
    probe = probe_table(write.staging).sql
    lasting = definition.removesuffix(" INITIALLY DEFERRED").removesuffix(" DEFERRABLE")
    return [
        f"CREATE UNLOGGED TABLE {probe} AS SELECT CAST(NULL AS tid) AS {_ROW}, t.* FROM {write.target.sql} AS t "
        f"WITH NO DATA",
        f"ALTER TABLE {probe} ADD {lasting}",
    ]


def fill_probe(write: Write, names: Sequence[str]) -> str:
    """Each row that those before it do not exclude: first rows that the target holds like this, then by key."""
    held = " AND ".join(
        f"{write.column(name).stored('t')} IS NOT DISTINCT FROM {write.column(name).comparable('d')}" for name in names
    )
    holds = f"EXISTS (SELECT FROM {write.target.sql} AS t WHERE {_same_row(write, 'd')} AND {held})"
    order = [f"{holds} DESC", *(write.column(name).value("d") for name in write.match), "d.ctid"]
    values = ", ".join(write.column(name).value("d") for name in names)
    return (
        f"INSERT INTO {probe_table(write.staging).sql} ({_ROW}, {name_list(names)}) SELECT d.ctid, {values} "
        f"FROM {write.staging.sql} AS d WHERE d.{RULE} IS NULL ORDER BY {', '.join(order)} ON CONFLICT DO NOTHING"
    )


def mark_unprobed(write: Write, exclusion: str) -> str:
    marked = mark(_rule(exclusion), "another row of this load excludes it", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} WHERE s.{RULE} IS NULL "
        f"AND NOT EXISTS (SELECT FROM {probe_table(write.staging).sql} AS p WHERE p.{_ROW} = s.ctid)"
    )


def drop_probe(write: Write) -> str:
    return f"DROP TABLE {probe_table(write.staging).sql}"


def _as_stored(write: Write, names: Sequence[str]) -> str:
    """Accepted rows under the target's own column names and types, cast once refused rows are out (OFFSET 0)."""
    values = [f"{write.column(name).value('d')} AS {postgresql_identifier(name)}" for name in names]
    return (
        f"SELECT {', '.join([f'd.ctid AS {_ROW}', *values])} FROM {write.staging.sql} AS d "
        f"WHERE d.{RULE} IS NULL OFFSET 0"
    )


def _rule(exclusion: str) -> str:
    return f"exclusion:{exclusion}"


def _same_row(write: Write, staged: str) -> str:
    columns = [write.column(name) for name in write.match]
    return matches(columns, stored="t", staged=staged, null_safe=write.null_safe)
