"""Marks staged rows that the target cannot take, set by set; each statement reports how many it marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.statements.postgresql.naming import REASON, RULE, STATUS, StagedColumn, Table
from etl.statements.postgresql.writing import Write, matches
from etl.statements.quoting import postgresql_column, postgresql_identifier, postgresql_literal

REJECTED = "rejected"
WAITING = "waiting"


@dataclass(frozen=True)
class Parent:
    """Where a foreign key's parents stand: in the target, in the staging of the same transaction, or in both."""

    table: Table
    columns: tuple[str, ...]
    staged: Write | None = None
    stored: bool = True


def foreign_key_rule(columns: Sequence[str], parent: Table) -> str:
    return f"foreign_key:{','.join(columns)}->{parent.name}"


def unique_rule(columns: Sequence[str]) -> str:
    return f"unique:{','.join(columns)}"


def mark(rule: str, reason: str, status: str) -> str:
    """What SET says of a staged row that is not to be published."""
    return (
        f"{RULE} = {postgresql_literal(rule)}, {REASON} = {postgresql_literal(reason)}, "
        f"{STATUS} = {postgresql_literal(status)}"
    )


def mark_orphans(write: Write, columns: Sequence[str], parent: Parent) -> str:
    """Rows without a parent; repeated until it marks none, since an orphan is no parent either."""
    present = " AND ".join(f"s.{postgresql_identifier(name)} IS NOT NULL" for name in columns)
    reason = f"no row in {parent.table} has this {', '.join(parent.columns)}"
    return (
        f"UPDATE {write.staging.sql} AS s SET {mark(foreign_key_rule(columns, parent.table), reason, WAITING)} "
        f"WHERE s.{RULE} IS NULL AND {present}{''.join(_no_parent(write, columns, parent))}"
    )


def mark_duplicates(write: Write, unique: Sequence[str], *, stored: bool, nulls_equal: bool = False) -> str:
    """All but one of the staged rows that hold the same values of another unique key. The row that holds them in the
    target already stays, else the one with the smallest key."""
    columns = [write.column(name) for name in unique]
    values = ", ".join(column.value("d") for column in columns)
    keys = [write.column(name) for name in write.match]
    named = [*_aliased(_values(columns, "d"), "value"), *_aliased(_values(keys, "d"), "key")]
    order = ["r.holds DESC", *(f"r.key_{number}" for number in range(len(keys))), "r.row_id"]
    holds = (
        f"EXISTS (SELECT FROM {write.target.sql} AS t WHERE {_same(write, write.match, 't', 'd')} "
        f"AND {_same(write, unique, 't', 'd')})"
        if stored
        else "false"
    )
    present = "" if nulls_equal else "".join(f" AND d.{postgresql_identifier(name)} IS NOT NULL" for name in unique)
    marked = mark(unique_rule(unique), f"another row of this load has the same {', '.join(unique)}", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} FROM ("
        f"SELECT r.row_id, row_number() OVER ("
        f"PARTITION BY {_numbered(unique)} ORDER BY {', '.join(order)}) AS position FROM ("
        f"SELECT d.ctid AS row_id, {', '.join(named)}, {holds} AS holds, "
        f"count(*) OVER (PARTITION BY {values}) AS holders "
        f"FROM {write.staging.sql} AS d WHERE d.{RULE} IS NULL{present}) AS r WHERE r.holders > 1) AS e "
        f"WHERE s.ctid = e.row_id AND e.position > 1"
    )


def has_duplicates(write: Write, unique: Sequence[str], *, nulls_equal: bool = False) -> str:
    """Cheaper than marking: most loads have none."""
    values = ", ".join(write.column(name).value("s") for name in unique)
    present = "" if nulls_equal else "".join(f" AND s.{postgresql_identifier(name)} IS NOT NULL" for name in unique)
    return (
        f"SELECT EXISTS (SELECT FROM {write.staging.sql} AS s WHERE s.{RULE} IS NULL{present} "
        f"GROUP BY {values} HAVING count(*) > 1)"
    )


def mark_taken(
    write: Write, unique: Sequence[str], *, holders_move: bool, deferrable: bool, nulls_equal: bool = False
) -> str:
    """Rows whose values of another unique key a different stored row holds, and keeps: where `holders_move`, a holder
    that this load gives other values is no obstacle. An immediate key lets only new rows follow it, since updates of
    one statement meet in any order."""
    same_row = _same(write, write.match, "t", "s", write.null_safe)
    holder = f"{_same(write, unique, 't', 's', nulls_equal)} AND NOT ({same_row})"
    stays = stays_put(write, unique, deferrable=deferrable) if holders_move else ""
    marked = mark(unique_rule(unique), f"another row of {write.target} holds the same {', '.join(unique)}", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} WHERE s.{RULE} IS NULL "
        f"AND EXISTS (SELECT FROM {write.target.sql} AS t WHERE {holder}{stays})"
    )


def stays_put(write: Write, names: Sequence[str], *, deferrable: bool) -> str:
    """Of stored rows `t` in the way of staged rows `s`: not those that this load gives other values."""
    moved = " OR ".join(
        f"{write.column(name).stored('t')} IS DISTINCT FROM {write.column(name).comparable('m')}" for name in names
    )
    follows = (
        ""
        if deferrable
        else f" AND NOT EXISTS (SELECT FROM {write.target.sql} AS o WHERE "
        f"{_same(write, write.match, 'o', 's', write.null_safe)})"
    )
    return (
        f" AND NOT (EXISTS (SELECT FROM {write.staging.sql} AS m WHERE m.{RULE} IS NULL "
        f"AND {_same(write, write.match, 't', 'm', write.null_safe)} AND ({moved})){follows})"
    )


def mark_unknown(write: Write, column: StagedColumn) -> str:
    """discard_row: rows with a value in a column that the target lacks."""
    marked = mark(f"schema:{column.name}", f"{write.target} has no column {column.name}", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} "
        f"WHERE s.{RULE} IS NULL AND s.{postgresql_identifier(column.name)} IS NOT NULL"
    )


def mark_nulls(write: Write, name: str) -> str:
    """Rows without a value that the target requires."""
    marked = mark(f"required:{name}", f"{write.target} requires a value in {name}", REJECTED)
    return (
        f"UPDATE {write.staging.sql} AS s SET {marked} "
        f"WHERE s.{RULE} IS NULL AND s.{postgresql_identifier(name)} IS NULL"
    )


def mark_unfit(write: Write, column: StagedColumn) -> str:
    """Rows whose value the target's type cannot take."""
    marked = mark(f"cast:{column.name}", f"the value does not fit {column.type}", REJECTED)
    return f"UPDATE {write.staging.sql} AS s SET {marked} WHERE s.{RULE} IS NULL AND {_unfit(column)}"


def drop_unfit_values(write: Write, column: StagedColumn) -> str:
    """discard_value: the row stays, the value goes."""
    return (
        f"UPDATE {write.staging.sql} AS s SET {postgresql_identifier(column.name)} = NULL "
        f"WHERE s.{RULE} IS NULL AND {_unfit(column)}"
    )


def _values(columns: Sequence[StagedColumn], alias: str) -> list[str]:
    return [column.value(alias) for column in columns]


def _unfit(column: StagedColumn) -> str:
    value = postgresql_column("s", column.name)
    return f"{value} IS NOT NULL AND NOT pg_input_is_valid(CAST({value} AS text), {postgresql_literal(column.type)})"


def _no_parent(write: Write, columns: Sequence[str], parent: Parent) -> list[str]:
    pairs = list(zip(columns, parent.columns, strict=True))
    absent = []
    if parent.stored:
        joined = " AND ".join(
            f"{postgresql_column('p', theirs)} = {write.column(ours).value('s')}" for ours, theirs in pairs
        )
        absent.append(f" AND NOT EXISTS (SELECT FROM {parent.table.sql} AS p WHERE {joined})")
    if parent.staged is not None:
        staged = parent.staged
        joined = " AND ".join(
            f"{staged.column(theirs).value('b')} = {write.column(ours).value('s')}" for ours, theirs in pairs
        )
        absent.append(f" AND NOT EXISTS (SELECT FROM {staged.staging.sql} AS b WHERE b.{RULE} IS NULL AND {joined})")
    return absent


def _same(write: Write, names: Sequence[str], stored: str, staged: str, null_safe: bool = False) -> str:
    return matches([write.column(name) for name in names], stored=stored, staged=staged, null_safe=null_safe)


def _aliased(values: Sequence[str], name: str) -> list[str]:
    return [f"{value} AS {name}_{number}" for number, value in enumerate(values)]


def _numbered(names: Sequence[str]) -> str:
    return ", ".join(f"r.value_{number}" for number in range(len(names)))
