"""Wide numerics (statements/numerics.py) on their way into a store whose decimals end somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField

from etl.config.destinations.load_config import WithDecimals
from etl.errors import SchemaMismatchError
from etl.load.base import LoadFacts, RejectKeeper
from etl.load.frames import Misfits, columns_of, iterate_rejects
from etl.model import Column as FrameColumn
from etl.postgresql_types import numeric_digits
from etl.statements.numerics import as_decimal, fits_exactly, stored_numeric
from etl.statements.quoting import spark_identifier
from etl.statements.types import SPARK_DIGITS, array_element, is_wide_numeric


@dataclass(frozen=True)
class Settled:
    """`frame` holds what the store can; `types` are Spark's names of the types that it gives to wide numerics.

    A decimal of more digits than Spark's stays text in the frame, for the store itself to read.
    """

    frame: DataFrame
    types: Mapping[str, str] = field(default_factory=dict)
    misfits: Misfits | None = None

    def typed(self, columns: tuple[FrameColumn, ...]) -> tuple[FrameColumn, ...]:
        return tuple(replace(each, spark_type=self.types.get(each.name, each.spark_type)) for each in columns)


def settle_numerics(df: DataFrame, config: WithDecimals) -> Settled:
    """Raises SchemaMismatchError with every column that the store has no type for."""
    wide = {column.name: column.postgresql_type for column in columns_of(df) if _is_wide(column)}
    if not wide:
        return Settled(df)
    types = {name: stored_numeric(name, kind, config.numeric_as, config.most_digits) for name, kind in wide.items()}
    _refuse(config, wide, types)
    decimals = {name: kind for name, kind in types.items() if kind is not None and "decimal" in kind}
    misfits = Misfits.of([_misfit(config, name, kind) for name, kind in decimals.items()]) if decimals else None
    kept = df if misfits is None else df.where(misfits.rule.isNull())
    columns = [_stored(field, decimals.get(field.name)) for field in df.schema.fields]
    return Settled(kept.select(*columns), decimals, misfits)


def reject_misfits(
    df: DataFrame, settled: Settled, config: WithDecimals, facts: LoadFacts | None, keep: RejectKeeper | None
) -> int:
    """Hands the rows that `settled` leaves out of `df` to the ledger; how many they are.

    Raises RejectedRowsError where there are more with those that the transform has rejected than the entry allows.
    """
    if settled.misfits is None:
        return 0
    rejected = settled.misfits.among(df)
    by_rule = rejected.groupBy(settled.misfits.rule, settled.misfits.reason).count().collect()
    rules = [(rule, rows, reason) for rule, reason, rows in by_rule]
    rows = sum(int(count) for _, count, _ in rules)
    (facts or LoadFacts(df.count())).refuse_too_many_rejected(config, rows, lambda: rules)
    if rows and keep is not None:
        rule, reason = settled.misfits.rule, settled.misfits.reason
        keep(config.table_name, config.destination, iterate_rejects(rejected, rule, reason))
    return rows


def facts_without(facts: LoadFacts | None, rejected: int, settled: Settled) -> LoadFacts | None:
    """What is still known of the frame once its numerics have become decimals."""
    if facts is None or not settled.types:
        return facts
    return replace(facts, rows=facts.rows - rejected, checksums=None, rows_rejected=facts.rows_rejected + rejected)


def _is_wide(column: FrameColumn) -> bool:
    is_text = (array_element(column.spark_type) or column.spark_type) == "string"
    return is_text and is_wide_numeric(column.postgresql_type)


def _refuse(config: WithDecimals, wide: Mapping[str, str], types: Mapping[str, str | None]) -> None:
    store = str(config.destination)
    faults = [
        f"column {name} is {wide[name]}, and {store} has decimals of at most {config.most_digits} digits "
        f"(write `{store}: {{numeric_as: {{{name}: text}}}}`, or a numeric that holds its values)"
        for name, kind in types.items()
        if kind is None
    ]
    # 1.5 and 1.50 are one key and two texts
    faults += [
        f"column {name} is {wide[name]} and in the key, and cannot be text there (numeric_as)"
        for name, kind in types.items()
        if kind == "string" and name in config.key and numeric_digits(wide[name]) is None
    ]
    if faults:
        raise SchemaMismatchError(
            f"{config.table_name}: {'; '.join(faults)}", table=config.table_name, destination=config.destination
        )


def _misfit(config: WithDecimals, name: str, kind: str) -> tuple[Column, str, str]:
    value, element = spark_identifier(name), array_element(kind)
    if element is None:
        outside = f"{value} IS NOT NULL AND NOT {fits_exactly(value, kind)}"
    else:
        outside = f"exists({value}, item -> item IS NOT NULL AND NOT {fits_exactly('item', element)})"
    reason = f"{name} is outside what {config.destination} can hold as {element or kind}; widen it by numeric_as"
    return F.coalesce(F.expr(outside), F.lit(False)), f"range:{config.destination}:{name}", reason


def _stored(field: StructField, kind: str | None) -> Column:
    value = spark_identifier(field.name)
    element = array_element(kind or "") or kind
    if kind is None or element is None or _digits(element) > SPARK_DIGITS:
        return F.col(value)
    decimal = as_decimal(value, kind)
    if kind != element:
        decimal = f"transform({value}, item -> {as_decimal('item', element)})"
    return F.expr(decimal).alias(field.name, metadata=field.metadata)


def _digits(decimal: str) -> int:
    return int(decimal.removeprefix("decimal(").split(",")[0])
