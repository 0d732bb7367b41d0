"""The table's schema_contract: what may differ between the frame and what stands, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.modes import MODES, deletes_vanished
from etl.errors import SchemaMismatchError
from etl.load.frames import Misfits
from etl.load.s3.frames import column
from etl.load.s3.widening import common_type, with_types
from etl.model import Destination, SchemaContract


@dataclass(frozen=True)
class Difference:
    """How a frame's columns differ from the stored ones; a changed type is (name, stored, incoming)."""

    added: tuple[str, ...]
    missing: tuple[str, ...]
    retyped: tuple[tuple[str, str, str], ...]
    recased: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.missing or self.retyped or self.recased)

    @property
    def renames_columns(self) -> bool:
        return bool(self.added or self.missing)

    def sentences(self) -> list[str]:
        return [
            *(f"column {name} is not in the target" for name in self.added),
            *(f"column {name} of the target is missing" for name in self.missing),
            *(f"column {name} is {stored} in the target and {incoming} now" for name, stored, incoming in self.retyped),
            *(f"column {incoming} stands in the target as {stored}" for stored, incoming in self.recased),
        ]


@dataclass(frozen=True)
class Fitted:
    """The frame as it fits the target. `misfits` tells which rows of the incoming one the contract discards, if any;
    `widened` what stored columns have to become first, since their types do not hold what comes."""

    frame: DataFrame
    difference: Difference
    misfits: Misfits | None = None
    widened: Mapping[str, DataType] = field(default_factory=dict)


def fit(frame: DataFrame, stored: StructType | None, config: S3TableLoadConfig) -> Fitted:
    """Applies the contract; names all differences at once where it refuses."""
    if stored is None:
        return Fitted(frame, Difference((), (), (), ()))
    difference = differences(frame.schema, stored)
    if not difference:
        return Fitted(frame, difference)
    contract = config.schema_contract
    if difference.recased or contract is SchemaContract.FREEZE:
        raise _mismatch(difference, config)
    if contract is SchemaContract.EVOLVE:
        return _evolve(frame, stored, difference, config)
    return _discard(frame, stored, difference, contract)


def differences(incoming: StructType, stored: StructType) -> Difference:
    kinds = {known.name: known.dataType.simpleString() for known in stored.fields}
    spelling = {name.lower(): name for name in kinds}
    added, retyped, recased = [], [], []
    for found in incoming.fields:
        kind = found.dataType.simpleString()
        if found.name in kinds:
            if kinds[found.name] != kind:
                retyped.append((found.name, kinds[found.name], kind))
        elif found.name.lower() in spelling:
            recased.append((spelling[found.name.lower()], found.name))
        else:
            added.append(found.name)
    present = {name.lower() for name in incoming.names}
    missing = tuple(name for name in kinds if name.lower() not in present)
    return Difference(tuple(added), missing, tuple(retyped), tuple(recased))


def _evolve(frame: DataFrame, stored: StructType, difference: Difference, config: S3TableLoadConfig) -> Fitted:
    """A column is as wide as its stored and its incoming values need; what has no such type is refused."""
    types: dict[str, DataType] = {}
    for name, _, _ in difference.retyped:
        common = common_type(stored[name].dataType, frame.schema[name].dataType)
        if common is None:
            raise _mismatch(difference, config)
        types[name] = common
    widened = {name: kind for name, kind in types.items() if kind != stored[name].dataType}
    if widened and not _can_widen(config):
        raise _mismatch(difference, config)
    return Fitted(with_types(frame, types), difference, widened=widened)


def _can_widen(config: S3TableLoadConfig) -> bool:
    """Files that stay keep their types, and a reader takes one type a column."""
    none_stay = deletes_vanished(config) or MODES[config.mode].only_new_targets
    return none_stay or config.updates_in_place


def _discard(frame: DataFrame, stored: StructType, difference: Difference, contract: SchemaContract) -> Fitted:
    """Keeps the target's schema: drops the values, or the rows, that it has no place for."""
    kinds = {known.name: known.dataType for known in stored.fields}
    retyped = {name for name, _, _ in difference.retyped}
    misfits = _misfits(difference, kinds) if contract is SchemaContract.DISCARD_ROW else None
    kept = frame if misfits is None else frame.where(misfits.rule.isNull())
    selected = kept.select(
        *[
            column(name).try_cast(kinds[name]).alias(name) if name in retyped else column(name)
            for name in frame.columns
            if name not in difference.added
        ]
    )
    return Fitted(selected, differences(selected.schema, stored), misfits)


def _misfits(difference: Difference, kinds: Mapping[str, DataType]) -> Misfits | None:
    """The rules are called as the other stores' loaders call them."""
    tests = [
        (column(name).isNotNull(), f"schema:{name}", f"the target has no column {name}") for name in difference.added
    ]
    tests += [
        (
            column(name).isNotNull() & column(name).try_cast(kinds[name]).isNull(),
            f"cast:{name}",
            f"the value does not fit {kind}",
        )
        for name, kind, _ in difference.retyped
    ]
    return Misfits.of(tests) if tests else None


def _mismatch(difference: Difference, config: S3TableLoadConfig) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"expected the columns of the target (schema_contract: {config.schema_contract}): "
        f"{'; '.join(difference.sentences())}; change the contract, cast in transform, or load into a new path",
        table=config.table_name,
        destination=Destination.S3,
    )
