"""What the frame and an existing target disagree on, all of it at once, and what the schema contract makes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.errors import SchemaMismatchError
from etl.load.clickhouse.column_types import Fit, bare, fit, is_nullable, spark_type_that_fits, widened
from etl.load.clickhouse.properties import NO_DIFFERENCE, Properties, counted, properties_of
from etl.load.clickhouse.target import TargetTable, wanted_shape
from etl.load.columns import refuse_columns
from etl.model import Column, Destination, SchemaContract
from etl.statements.clickhouse.tables import (
    VERSION_COLUMN,
    ColumnShape,
    TableShape,
    add_column,
    modify_column,
)
from etl.statements.quoting import clickhouse_column, clickhouse_literal


@dataclass(frozen=True)
class SchemaPlan:
    """How the frame goes into the target.

    `shape` is the target's after evolution, `columns` those that are sent, `narrowed` the Spark type of those whose
    values the target cannot all hold (discard_row, discard_value) and `unknown` those that the target lacks.
    """

    shape: TableShape
    columns: tuple[Column, ...]
    added: tuple[ColumnShape, ...] = ()
    modified: tuple[tuple[str, str], ...] = ()
    narrowed: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()
    properties: Properties = NO_DIFFERENCE

    @property
    def evolves(self) -> bool:
        return bool(self.added or self.modified or self.properties.differ)

    def with_properties(self, properties: Properties) -> SchemaPlan:
        return replace(self, shape=properties.of(self.shape), properties=properties)

    def alterations(self, database: str, table: str) -> Iterator[str]:
        """The statements that give the target its shape; the TTL comes last, as it may speak of a new column."""
        for column in self.added:
            yield add_column(database, table, column)
        for name, new_type in self.modified:
            yield modify_column(database, table, name, new_type)
        yield from self.properties.statements(database, table)

    def of(self, names: Collection[str]) -> SchemaPlan:
        """Of these columns alone, as a list without order, partitions or versions."""
        columns = tuple(replace(each, codec="") for each in self.shape.columns if each.name in names)
        bare_list = replace(
            self.shape, columns=columns, order_by="", partition_by="", primary_key="", version="", ttl="", indices=()
        )
        return SchemaPlan(bare_list, tuple(each for each in self.columns if each.name in names))

    @property
    def discards(self) -> bool:
        return bool(self.narrowed or self.unknown)


@dataclass(frozen=True)
class _Differences:
    added: tuple[ColumnShape, ...]
    widenings: tuple[tuple[str, str], ...]
    nullables: tuple[tuple[str, str], ...]
    narrow: tuple[Column, ...]
    superfluous: tuple[str, ...]
    hopeless: tuple[str, ...]

    def sentences(self, stored: dict[str, str], wanted: dict[str, str]) -> list[str]:
        return [
            *self.hopeless,
            *(f"column {column.name} is missing in the target" for column in self.added),
            *(
                f"column {column.name}: the target's {stored[column.name]} is too narrow for {wanted[column.name]}"
                for column in self.narrow
            ),
            *(f"column {name} may be NULL, the target's {stored[name]} may not" for name, _ in self.nullables),
            *(f"column {name} of the target is not in the frame" for name in self.superfluous),
        ]


def plan_load(
    door: ClickHouseDoor,
    database: str,
    columns: Sequence[Column],
    config: ClickHouseTableLoadConfig,
    target: TargetTable | None,
) -> SchemaPlan:
    """`plan_schema`, and what else the entry asks of a target that stands."""
    plan = plan_schema(columns, config, target)
    if target is None:
        return plan
    properties = properties_of(door, config, target)
    if not plan.added:  # of whose columns the TTL may speak
        properties = counted(door, properties, database, config.target_name)
    return plan.with_properties(properties)


def plan_schema(columns: Sequence[Column], config: ClickHouseTableLoadConfig, target: TargetTable | None) -> SchemaPlan:
    """Raises SchemaMismatchError with every difference that the table's schema contract does not allow."""
    refuse_columns(config, columns)
    wanted = wanted_shape(columns, config)
    if target is None:
        return SchemaPlan(wanted, tuple(columns))
    found = _differences(columns, wanted, target.shape)
    frozen = config.schema_contract is SchemaContract.FREEZE
    sentences = found.sentences(target.shape.column_types, wanted.column_types)
    if found.hopeless or (frozen and sentences):
        raise _mismatch(config, sentences)
    if config.schema_contract in (SchemaContract.DISCARD_ROW, SchemaContract.DISCARD_VALUE):
        return _discarding_plan(columns, config, target, found, sentences)
    return _evolving_plan(columns, target, found)


def stored_expressions(columns: Sequence[Column], target: TableShape, shape: TableShape, alias: str) -> dict[str, str]:
    """The target's value of each column in the type it is going to have, so that it compares with what was staged."""
    expressions = {}
    for column in columns:
        new_type = shape.column_types[column.name]
        stored_type = target.column_types.get(column.name)
        name = clickhouse_column(alias, column.name)
        if stored_type == new_type:
            expressions[column.name] = name
        elif stored_type is None:
            expressions[column.name] = f"defaultValueOfTypeName({clickhouse_literal(new_type)})"
        else:
            expressions[column.name] = f"CAST({name}, {clickhouse_literal(new_type)})"
    return expressions


def _differences(columns: Sequence[Column], wanted: TableShape, stored: TableShape) -> _Differences:
    stored_types = stored.column_types
    by_name = {column.name: column for column in wanted.columns}
    common = [by_name[column.name] for column in columns if column.name in stored_types]
    narrow = [shape for shape in common if fit(stored_types[shape.name], shape.type) is Fit.NARROW]
    widenings = [(shape.name, widened(stored_types[shape.name], shape.type)) for shape in narrow]
    sorting = _words(stored.order_by)
    return _Differences(
        added=tuple(shape for shape in wanted.columns if shape.name not in stored_types),
        widenings=tuple((name, new) for name, new in widenings if new is not None),
        nullables=tuple(
            (shape.name, f"Nullable({stored_types[shape.name]})")
            for shape in common
            if is_nullable(shape.type) and not is_nullable(stored_types[shape.name]) and shape.name not in sorting
        ),
        narrow=tuple(column for column in columns if column.name in {shape.name for shape in narrow}),
        superfluous=tuple(
            shape.name
            for shape in stored.columns
            if shape.name not in by_name and shape.name != VERSION_COLUMN and not shape.default.startswith("ALIAS")
        ),
        hopeless=tuple(_hopeless(wanted, stored, common, dict(widenings), sorting)),
    )


def _hopeless(
    wanted: TableShape,
    stored: TableShape,
    common: Sequence[ColumnShape],
    widenings: dict[str, str | None],
    sorting: frozenset[str],
) -> Iterator[str]:
    """What no contract allows: the target would have to be built anew."""
    for what, one, other in [
        ("engine", wanted.engine, stored.engine),
        ("version column", wanted.version, stored.version),
        ("ORDER BY", wanted.order_by, stored.order_by),
        ("PARTITION BY", wanted.partition_by, stored.partition_by),
    ]:
        if _normalised(one) != _normalised(other):
            yield f"{what}: expected {one or 'none'}, found {other or 'none'}"
    for shape in common:
        found = stored.column_types[shape.name]
        if fit(found, shape.type) is Fit.DIFFERENT:
            yield f"column {shape.name}: expected {shape.type}, found {found}"
        elif shape.name in widenings and (shape.name in sorting or widenings[shape.name] is None):
            yield f"column {shape.name}: {found} cannot be widened to {shape.type} where it stands"
        elif is_nullable(shape.type) and not is_nullable(found) and shape.name in sorting:
            yield f"column {shape.name} may be NULL, but the target sorts by its {found}"
    for shape in stored.columns:
        if shape.name not in wanted.column_types and _needs_a_value(shape):
            yield f"column {shape.name} of the target needs a value ({shape.type}) and is not in the frame"


def _needs_a_value(shape: ColumnShape) -> bool:
    empty_by_nature = is_nullable(shape.type) or bare(shape.type).startswith(("Array(", "Map("))
    return not shape.default and not empty_by_nature


def _evolving_plan(columns: Sequence[Column], target: TargetTable, found: _Differences) -> SchemaPlan:
    modified = dict(found.nullables)
    for name, new_type in found.widenings:
        modified[name] = f"Nullable({new_type})" if name in modified else new_type
    # rows that already stand have no value for a new column
    added = tuple(replace(shape, type=_nullable(shape.type)) for shape in found.added)
    kept = tuple(replace(shape, type=modified.get(shape.name, shape.type)) for shape in target.shape.columns)
    return SchemaPlan(
        replace(target.shape, columns=(*kept, *added)), tuple(columns), added=added, modified=tuple(modified.items())
    )


def _discarding_plan(
    columns: Sequence[Column],
    config: ClickHouseTableLoadConfig,
    target: TargetTable,
    found: _Differences,
    sentences: list[str],
) -> SchemaPlan:
    unknown = tuple(shape.name for shape in found.added)
    narrowed = {column.name: spark_type_that_fits(target.shape.column_types[column.name]) for column in found.narrow}
    essential = set(config.key) & ({*unknown} | set(narrowed))
    if essential or None in narrowed.values():
        raise _mismatch(config, sentences)
    sent = tuple(
        replace(column, spark_type=narrowed.get(column.name) or column.spark_type)
        for column in columns
        if column.name not in unknown
    )
    return SchemaPlan(
        target.shape,
        sent,
        narrowed=tuple((name, kind) for name, kind in narrowed.items() if kind is not None),
        unknown=unknown,
    )


def _mismatch(config: ClickHouseTableLoadConfig, sentences: Sequence[str]) -> SchemaMismatchError:
    listed = "\n".join(f"  - {sentence}" for sentence in sentences)
    return SchemaMismatchError(
        f"{config.target_name}: frame and target differ beyond what schema_contract "
        f"'{config.schema_contract}' allows:\n{listed}\n"
        "Change the target, the table's `transform` entry, or the contract.",
        table=config.table_name,
        destination=Destination.CLICKHOUSE,
    )


def _nullable(type_name: str) -> str:
    return type_name if type_name.startswith(("Array(", "Nullable(")) else f"Nullable({type_name})"


def _normalised(expression: str) -> str:
    return "".join(expression.split()).replace("`", "")


def _words(expression: str) -> frozenset[str]:
    return frozenset(part.strip().strip("`") for part in expression.split(","))
