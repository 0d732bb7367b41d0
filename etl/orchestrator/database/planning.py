"""The difference between the tables as they stand and as they are wanted → the steps from one to the other.

What only the rows can tell (duplicates, orphans, nulls, rows that break a check) is counted by `obstacles`.
"""

from __future__ import annotations

from collections.abc import Iterator

from etl.orchestrator.database.shape import Column, Constraint, Index, Shape, Table
from etl.orchestrator.database.steps import BuildIndex, Change, Fill, Look, Phase, Refusal, Step
from etl.statements.quoting import postgresql_identifier as quoted

FILLED = {"dw_etl_runs": ("correlation_id", "cycle_id", "trigger", "parameter_fingerprint")}
"""What the other columns of a row can tell."""

_VOLATILE = {"clock_timestamp()": "now()"}
"""A default that is another one for each row has all rows written anew; this one is kept beside them."""


def plan_steps(standing: Shape, wanted: Shape) -> list[Step]:
    """In the order in which they are done."""
    both = [(standing.tables[name], table) for name, table in wanted.tables.items() if name in standing.tables]
    return [
        *(step for old, new in both for step in _columns(old, new)),
        *(step for old, new in both for step in _fills(old, new)),
        *(step for old, new in both for step in _required(old, new)),
        *(step for old, new in both for step in _constraints(old, new, "c")),
        *_indexes(standing, wanted, are_last=False),
        *(step for old, new in both for step in _primary_key(old, new)),
        *(step for old, new in both for step in _identities(old, new)),
        *_foreign_keys(standing, wanted),
        *_indexes(standing, wanted, are_last=True),
    ]


def refusals(standing: Shape, wanted: Shape) -> list[Refusal]:
    found = [
        Refusal(name, f"it belongs to {table.owner}; connect as its owner")
        for name in dict.fromkeys(step.table for step in plan_steps(standing, wanted))
        if (table := standing.tables.get(name)) and not table.is_owned
    ]
    for name, new in wanted.tables.items():
        if old := standing.tables.get(name):
            found += [Refusal(name, text) for text in _faults(old, new)]
    for name, index in wanted.indexes.items():
        old_index = standing.indexes.get(name)
        if old_index and old_index.is_of_constraint and _differs(old_index, index) and not _is_key(wanted, name):
            text = f"constraint {name} is {old_index.definition}; drop it, and a right index is built"
            found.append(Refusal(index.table, text))
    return found


def _faults(old: Table, new: Table) -> Iterator[str]:
    if old.kind != "r":
        yield f"expected a table, found {_KINDS.get(old.kind, 'something else')} of that name; rename it"
        return
    for name, column in new.columns.items():
        found = old.columns.get(name)
        if found and found.type != column.type and not _is_text(found, column):
            yield (
                f"column {name}: expected {column.type}, found {found.type}; ALTER TABLE {new.name} ALTER COLUMN"
                f" {name} TYPE {column.type} USING {name}::{column.type} while nobody works in it"
            )
    for name, column in old.columns.items():
        if name not in new.columns and column.is_required and not column.is_given:
            yield f"column {name} is NOT NULL without a default, and nobody here fills it; give it one, or drop it"
    if old.primary_key and new.primary_key and old.primary_key.definition != new.primary_key.definition:
        yield f"expected {new.primary_key.definition}, found {old.primary_key.definition}; drop {old.primary_key.name}"


_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "p": "a partitioned table"}


def _columns(old: Table, new: Table) -> Iterator[Step]:
    for name, column in new.columns.items():
        found = old.columns.get(name)
        if found is None:
            yield _change(Phase.TABLES, new, f"add column {name}", *_add(new, column))
        elif texts := list(_alter(found, column)):
            yield _change(Phase.TABLES, new, f"change column {name}", *texts)


def _add(table: Table, column: Column) -> Iterator[str]:
    """A default that costs no rewrite comes with the column, whatever else it needs later."""
    name, is_filled = quoted(column.name), column.name in FILLED.get(table.name, ())
    add = f"ADD COLUMN IF NOT EXISTS {name} {column.type}"
    if column.is_identity:
        yield f"{add} GENERATED ALWAYS AS IDENTITY"
    elif is_filled:
        yield add
        if column.default:
            yield f"ALTER COLUMN {name} SET DEFAULT {column.default}"
    elif column.default:
        yield f"{add} DEFAULT {_VOLATILE.get(column.default, column.default)}" + _not_null(column)
        if column.default in _VOLATILE:
            yield f"ALTER COLUMN {name} SET DEFAULT {column.default}"
    else:
        # rows are looked at by `obstacles`: of a table that has any such a column is refused
        yield add + _not_null(column)


def _alter(found: Column, column: Column) -> Iterator[str]:
    alter = f"ALTER COLUMN {quoted(column.name)}"
    if found.type != column.type and _is_text(found, column):
        yield f"{alter} TYPE text"
    if column.default and found.default != column.default and not found.is_generated:
        yield f"{alter} SET DEFAULT {column.default}"


def _identities(old: Table, new: Table) -> Iterator[Step]:
    """When there is an index that knows the last number."""
    for name, column in new.columns.items():
        if column.is_identity and name in old.columns and not old.columns[name].is_given:
            add = f"ALTER COLUMN {quoted(name)} ADD GENERATED ALWAYS AS IDENTITY"
            what = f"column {name}: numbers of its own"
            yield _change(Phase.CONSTRAINTS, new, what, add, _behind_the_last(new, column))


def _behind_the_last(table: Table, column: Column) -> str:
    name = quoted(column.name)
    return (
        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'),"
        f" (SELECT coalesce(max({name}), 0) + 1 FROM {quoted(table.name)}), false)"
    )


def _fills(old: Table, new: Table) -> Iterator[Step]:
    lacking = [
        name for name in FILLED.get(new.name, ()) if name not in old.columns or not old.columns[name].is_required
    ]
    if lacking:
        yield Fill(Phase.TABLES, new.name, f"fill {', '.join(lacking)} where it is NULL", tuple(lacking))


def _required(old: Table, new: Table) -> Iterator[Step]:
    """With a check that was validated before, SET NOT NULL looks at no row."""
    for name in unguarded(old, new):
        check = quoted(f"{name}_is_there")
        text = f"column {name}"
        yield _change(
            Phase.CONSTRAINTS,
            new,
            f"{text}: refuse NULL in what is written",
            f"DROP CONSTRAINT IF EXISTS {check}",
            f"ADD CONSTRAINT {check} CHECK ({quoted(name)} IS NOT NULL) NOT VALID",
        )
        yield _validate(new.name, f"{name}_is_there")
        yield _change(
            Phase.CONSTRAINTS,
            new,
            f"{text}: NOT NULL",
            f"ALTER COLUMN {quoted(name)} SET NOT NULL",
            f"DROP CONSTRAINT IF EXISTS {check}",
        )


def unguarded(old: Table, new: Table) -> list[str]:
    """Columns that stand, or are added before they can be NOT NULL."""
    filled = FILLED.get(new.name, ())
    return [
        name
        for name, column in new.columns.items()
        if column.is_required and (name in filled if name not in old.columns else not old.columns[name].is_required)
    ]


def _constraints(old: Table, new: Table, kind: str) -> Iterator[Step]:
    for name, wanted in new.constraints.items():
        if wanted.kind == kind:
            yield from _constraint(old.constraints.get(name), wanted)


def _constraint(found: Constraint | None, wanted: Constraint) -> Iterator[Step]:
    name = quoted(wanted.name)
    if found is None or found.definition != wanted.definition:
        add = f"ADD CONSTRAINT {name} {wanted.definition} NOT VALID"
        texts = [f"DROP CONSTRAINT {name}", add] if found else [add]
        yield _change(Phase.CONSTRAINTS, wanted, f"{'change' if found else 'add'} constraint {wanted.name}", *texts)
    elif found.is_valid:
        return
    yield _validate(wanted.table, wanted.name)


def _foreign_keys(standing: Shape, wanted: Shape) -> Iterator[Step]:
    for name, table in wanted.tables.items():
        yield from _constraints(standing.tables.get(name, Table(name)), table, "f")


def _primary_key(old: Table, new: Table) -> Iterator[Step]:
    key = new.primary_key
    if key and old.primary_key is None:
        text = f"ADD CONSTRAINT {quoted(key.name)} PRIMARY KEY USING INDEX {quoted(key.name)}"
        yield _change(Phase.CONSTRAINTS, new, f"add {key.definition}", text)


def _indexes(standing: Shape, wanted: Shape, *, are_last: bool) -> Iterator[Step]:
    """Partial unique ones are the last."""
    for name, index in wanted.indexes.items():
        if (index.is_unique and index.is_partial) is not are_last or _comes_with_table(standing, wanted, index):
            continue
        found = standing.indexes.get(name)
        if found is None or not found.is_valid or _differs(found, index):
            phase = Phase.ONE_AT_A_TIME if are_last else Phase.CONSTRAINTS
            what = f"{'build again' if found else 'build'} index {name}"
            yield BuildIndex(phase, index.table, what, name, index.definition, replaces=found is not None)


def _comes_with_table(standing: Shape, wanted: Shape, index: Index) -> bool:
    """A key's index, where its table is made by now, or has its key under whatever name."""
    if not _is_key(wanted, index.name):
        return False
    table = standing.tables.get(index.table)
    return table is None or table.primary_key is not None


def _is_key(shape: Shape, name: str) -> bool:
    return shape.indexes[name].is_of_constraint


def _differs(found: Index, wanted: Index) -> bool:
    return found.definition != wanted.definition


def _is_text(found: Column, wanted: Column) -> bool:
    """Kept as it is by a change of type."""
    return wanted.type == "text" and found.type.startswith("character varying")


def _not_null(column: Column) -> str:
    return " NOT NULL" if column.is_required else ""


def _change(phase: Phase, of: Table | Constraint, what: str, *actions: str) -> Change:
    table = of.name if isinstance(of, Table) else of.table
    texts = [text if text.startswith("SELECT ") else f"ALTER TABLE {quoted(table)} {text}" for text in actions]
    return Change(phase, table, what, tuple(texts))


def _validate(table: str, constraint: str) -> Look:
    text = f"ALTER TABLE {quoted(table)} VALIDATE CONSTRAINT {quoted(constraint)}"
    return Look(Phase.CONSTRAINTS, table, f"validate {constraint}", text)
