"""Frame against an existing target: every difference at once, and what `schema_contract` does about each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import SchemaMismatchError
from etl.load.postgresql.target.catalog import TargetColumn, TargetTable
from etl.load.postgresql.target.design import Design
from etl.model import Column, SchemaContract
from etl.postgresql_types import COLUMNS_OF_A_TABLE, declared_digits, length_of
from etl.statements.postgresql.tables import NewColumn, add_column, add_unique, alter_column_type, drop_not_null

_INTEGERS = {"smallint": 1, "integer": 2, "bigint": 3}
_FLOATS = {"real": 1, "double precision": 2}
_TIMES = {"timestamp with time zone", "timestamp without time zone"}


class Fit(Enum):
    """How values of one type go into a column of another."""

    SAME = "same"
    FITS = "fits"  # every value does
    PARSED = "parsed"  # text that reads as the type does
    NARROWS = "narrows"  # some values would not
    FOREIGN = "foreign"  # there is no common ground


@dataclass(frozen=True)
class Agreement:
    """What follows from the comparison: DDL first, then which columns are written, checked, or given up."""

    ddl: tuple[str, ...]
    target: TargetTable
    written: tuple[Column, ...]
    checked: tuple[str, ...] = ()
    """Columns whose values may not fit: looked at row by row in staging."""
    unknown: tuple[Column, ...] = ()
    """Columns that the target lacks and discard_row looks at."""
    generated: tuple[str, ...] = ()


def agree(design: Design, target: TargetTable, config: PostgreSQLTableLoadConfig) -> Agreement:
    """Raises SchemaMismatchError naming every difference that the contract does not allow, else says how to go on."""
    contract = config.schema_contract
    missing = [column for column in design.columns if target.column(column.name) is None]
    generated = [column.name for column in design.columns if _is_generated(target, column)]
    shared = [c for c in design.columns if target.column(c.name) is not None and c.name not in generated]
    fits = {column.name: fit(column.postgresql_type, _stored(target, column).type) for column in shared}
    faults = _faults(design, target, contract, missing, fits)
    if faults:
        raise SchemaMismatchError(
            f"{target.table} does not take this frame ({contract} contract): {'; '.join(faults)}. "
            "Change the target, the table's `transform` entry, or `schema_contract`",
            table=config.table_name,
        )
    if contract is SchemaContract.EVOLVE:
        target, ddl = _evolve(design, target, missing, fits)
        shared = [column for column in design.columns if column.name not in generated]
    else:
        ddl = []
    return Agreement(
        ddl=tuple(ddl),
        target=target,
        written=tuple(shared),
        checked=tuple(name for name, found in fits.items() if _is_checked(found, contract)),
        unknown=tuple(missing) if contract is SchemaContract.DISCARD_ROW else (),
        generated=tuple(generated),
    )


def fit(frame_type: str, target_type: str) -> Fit:
    """How values of `frame_type` go into `target_type`; both as format_type() prints them."""
    if frame_type == target_type:
        return Fit.SAME
    if _is_text(target_type):
        return Fit.FITS
    for family in (_INTEGERS, _FLOATS):
        if frame_type in family and target_type in family:
            return Fit.FITS if family[frame_type] <= family[target_type] else Fit.NARROWS
    if target_type.startswith("character"):
        return _fit_length(frame_type, target_type)
    if target_type.startswith("numeric"):
        return _fit_numeric(frame_type, target_type)
    if _is_text(frame_type) or frame_type.startswith("character"):
        return Fit.PARSED
    if target_type in _TIMES and (frame_type in _TIMES or frame_type == "date"):
        return Fit.FITS
    if target_type == "double precision" and (frame_type in ("smallint", "integer")):
        return Fit.FITS
    if frame_type in ("json", "jsonb") and target_type in ("json", "jsonb"):
        return Fit.FITS
    is_number = frame_type.startswith("numeric") or frame_type in {**_INTEGERS, **_FLOATS}
    return Fit.NARROWS if is_number and target_type in {**_INTEGERS, **_FLOATS} else Fit.FOREIGN


def missing_arbiter(design: Design, target: TargetTable) -> str | None:
    """The DDL that would give ON CONFLICT its arbiter, None where the target has one."""
    if not design.match:
        return None
    for key in target.unique_keys:
        if set(key.columns) == set(design.match) and key.immediate and key.nulls_not_distinct >= design.null_safe:
            return None
    return add_unique(target.table, design.match, nulls_not_distinct=design.null_safe)


def _is_generated(target: TargetTable, column: Column) -> bool:
    stored = target.column(column.name)
    return stored is not None and stored.is_generated


def _stored(target: TargetTable, column: Column) -> TargetColumn:
    stored = target.column(column.name)
    if stored is None:
        raise LookupError(column.name)
    return stored


def _faults(
    design: Design, target: TargetTable, contract: SchemaContract, missing: list[Column], fits: dict[str, Fit]
) -> list[str]:
    present = {column.name for column in design.columns}
    faults = [
        f"extra column {column.name} ({column.type} NOT NULL without default) is not in the frame"
        for column in target.columns
        if column.must_be_given and column.name not in present
    ]
    dropped = max(0, target.columns_ever - len(target.columns))
    together = len(target.columns) + dropped + len(missing)
    if contract is SchemaContract.EVOLVE and missing and together > COLUMNS_OF_A_TABLE:
        most = f"more than a table of PostgreSQL has ({COLUMNS_OF_A_TABLE:,})"
        counted = f" with {dropped:,} dropped ones, which keep their places until the table is made anew"
        faults.append(f"{len(missing):,} new columns would make {together:,}{counted if dropped else ''}, {most}")
    if contract is SchemaContract.FREEZE:
        faults += [f"missing column {column.name} ({column.postgresql_type})" for column in missing]
    for column in design.columns:
        found = fits.get(column.name, Fit.SAME)
        stored = target.column(column.name)
        if stored is not None and _is_fault(found, contract, column, stored):
            faults.append(f"column {column.name} narrows {column.postgresql_type} to {stored.type}")
    ddl = missing_arbiter(design, target)
    return [*faults, f"no unique constraint on ({', '.join(design.match)}) to upsert by: {ddl}"] if ddl else faults


def _is_fault(found: Fit, contract: SchemaContract, column: Column, stored: TargetColumn) -> bool:
    if found is Fit.FOREIGN:
        return True
    if found is not Fit.NARROWS:
        return False
    if contract is SchemaContract.FREEZE:
        return True
    return contract is SchemaContract.EVOLVE and fit(stored.type, column.postgresql_type) is not Fit.FITS


def _is_checked(found: Fit, contract: SchemaContract) -> bool:
    return found is Fit.PARSED or (found is Fit.NARROWS and contract is not SchemaContract.EVOLVE)


def _evolve(
    design: Design, target: TargetTable, missing: list[Column], fits: dict[str, Fit]
) -> tuple[TargetTable, list[str]]:
    """New columns are nullable: rows that stand there have no value for them. A column that the source lets be NULL by
    now must not refuse its rows for ever."""
    loosened = [column.name for column in target.columns if _is_stricter(column, design, target)]
    widened = {c.name: c.postgresql_type for c in design.columns if fits.get(c.name) is Fit.NARROWS}
    columns = [
        replace(
            column,
            type=widened.get(column.name, column.type),
            not_null=column.not_null and column.name not in loosened,
        )
        for column in target.columns
    ]
    columns += [TargetColumn(column.name, column.postgresql_type) for column in missing]
    collations = {column.name: column.collation for column in target.columns}
    ddl = [alter_column_type(target.table, name, wider, collations[name]) for name, wider in widened.items()]
    ddl += [drop_not_null(target.table, name) for name in loosened]
    ddl += [add_column(target.table, NewColumn(column.name, column.postgresql_type)) for column in missing]
    return replace(target, columns=tuple(columns)), ddl


def _is_stricter(column: TargetColumn, design: Design, target: TargetTable) -> bool:
    keys = {name for key in target.unique_keys if key.primary for name in key.columns}
    is_fixed = column.identity or column.name in keys or column.name in design.match
    return column.not_null and column.name in design.optional and not is_fixed


def _is_text(kind: str) -> bool:
    return kind in ("text", "character varying")


def _fit_length(frame_type: str, target_type: str) -> Fit:
    """Into varchar(n) or char(n): shorter texts fit, others may not."""
    ours, room = length_of(frame_type), length_of(target_type)
    if ours and room and ours <= room:
        return Fit.FITS
    if frame_type == "uuid" and room and room >= len("00000000-0000-0000-0000-000000000000"):
        return Fit.FITS
    return Fit.NARROWS


def _fit_numeric(frame_type: str, target_type: str) -> Fit:
    if _is_text(frame_type) or frame_type.startswith("character"):
        return Fit.PARSED
    digits = {"smallint": (5, 0), "integer": (10, 0), "bigint": (19, 0)}.get(frame_type, declared_digits(frame_type))
    if not frame_type.startswith("numeric") and frame_type not in {**_INTEGERS, **_FLOATS}:
        return Fit.FOREIGN
    room = declared_digits(target_type)
    if room is None:
        return Fit.FITS
    if digits is None:
        return Fit.NARROWS
    return Fit.FITS if digits[1] <= room[1] and digits[0] - digits[1] <= room[0] - room[1] else Fit.NARROWS
