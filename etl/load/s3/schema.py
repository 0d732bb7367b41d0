"""The table's schema_contract: what may differ between the frame and what stands, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, StructType

from etl.config.models import S3Format, S3TableLoadConfig
from etl.errors import SchemaMismatchError
from etl.load.frames import Misfits
from etl.load.s3.frames import column
from etl.model import Destination, SchemaContract

_ILLEGAL_IN_DELTA = " ,;{}()\n\t="


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
    """The frame as it fits the target. `misfits` tells which rows of the incoming one the contract discards, if any."""

    frame: DataFrame
    difference: Difference
    misfits: Misfits | None = None


def fit(frame: DataFrame, stored: StructType | None, config: S3TableLoadConfig) -> Fitted:
    """Applies the contract; names all differences at once where it refuses."""
    _refuse_illegal_names(frame.schema, config)
    if stored is None:
        return Fitted(frame, Difference((), (), (), ()))
    difference = differences(frame.schema, stored)
    if not difference:
        return Fitted(frame, difference)
    contract = config.schema_contract
    refused = difference.recased or (contract is SchemaContract.EVOLVE and difference.retyped)
    if refused or contract is SchemaContract.FREEZE:
        raise _mismatch(difference, config)
    if contract is SchemaContract.EVOLVE:
        return Fitted(frame, difference)
    return _discard(frame, stored, difference, contract)


def differences(incoming: StructType, stored: StructType) -> Difference:
    kinds = {field.name: field.dataType.simpleString() for field in stored.fields}
    spelling = {name.lower(): name for name in kinds}
    added, retyped, recased = [], [], []
    for field in incoming.fields:
        kind = field.dataType.simpleString()
        if field.name in kinds:
            if kinds[field.name] != kind:
                retyped.append((field.name, kinds[field.name], kind))
        elif field.name.lower() in spelling:
            recased.append((spelling[field.name.lower()], field.name))
        else:
            added.append(field.name)
    present = {name.lower() for name in incoming.names}
    missing = tuple(name for name in kinds if name.lower() not in present)
    return Difference(tuple(added), missing, tuple(retyped), tuple(recased))


def _discard(frame: DataFrame, stored: StructType, difference: Difference, contract: SchemaContract) -> Fitted:
    """Keeps the target's schema: drops the values, or the rows, that it has no place for."""
    kinds = {field.name: field.dataType for field in stored.fields}
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


def _refuse_illegal_names(schema: StructType, config: S3TableLoadConfig) -> None:
    if config.format is not S3Format.DELTA:
        return
    illegal = [name for name in schema.names if any(character in _ILLEGAL_IN_DELTA for character in name)]
    if illegal:
        raise SchemaMismatchError(
            f"expected column names without spaces and ,;{{}}()=, which Delta refuses; found "
            f"{', '.join(repr(name) for name in illegal)}: rename them in transform, or choose format: parquet",
            table=config.table_name,
            destination=Destination.S3,
        )
