"""NULL keys and duplicate keys: found once, before any destination is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import Column, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from etl.config.tables.models import Deduplicate, TableConfig
from etl.model import TableDefinition
from etl.statements.quoting import spark_identifier, spark_literal
from etl.statements.spark_values import identity
from etl.statements.types import is_wide_numeric
from etl.transform.draft import FAILURE, Check, Draft, column_of
from etl.transform.expressions import fault
from etl.transform.outcome import Outcome

ORDER, _PLACE = "_etl_order", "_etl_place"
_SORTS_AS_TEXT = re.compile(
    r"text|citext|name|uuid|character( varying)?(\(\d+\))?|bit( varying)?(\(\d+\))?|time(\(\d\))? without time zone"
)


def is_unique_at_source(table: TableConfig, definition: TableDefinition | None) -> bool:
    """Whether PostgreSQL itself keeps the key unique; only then is no shuffle needed to know it."""
    if definition is None or table.source.type != "postgresql":
        return False
    former = {new: old for old, new in table.transform.rename.items()}
    changed = {*table.transform.cast, *table.transform.default, *table.transform.derive}
    changed |= {*table.transform.hash, *table.transform.mask}
    if isinstance(table.transform.trim, tuple):
        changed |= set(table.transform.trim)
    if changed & set(table.key):
        return False
    key = {former.get(name, name) for name in table.key}
    not_null = {column.name for column in definition.columns if not column.nullable}
    unique = [definition.primary_key, *(unique for unique in definition.unique_keys if not_null.issuperset(unique))]
    return any(columns and key.issuperset(columns) for columns in unique)


def refuse_null_keys(draft: Draft, key: Sequence[str]) -> Draft:
    open_columns = [name for name in key if name not in draft.never_null]
    checks = [
        Check(
            "null_key",
            f"{spark_identifier(name)} IS NULL",
            spark_literal(f"key column {name} is NULL"),
            Outcome.NULL_KEY,
        )
        for name in open_columns
    ]
    return replace(draft.failing(checks), never_null=draft.never_null | set(key))


def remember_order(draft: Draft, table: TableConfig, deduplicate: Deduplicate | None) -> Draft:
    """The order columns as they are before they may be hashed, masked or dropped."""
    if deduplicate is None:
        return draft
    _refuse_unsorted(draft, table, deduplicate)
    columns = [_ordered(draft, order.column).alias(f"c{place}") for place, order in enumerate(deduplicate.order_by)]
    return replace(draft, frame=draft.frame.withColumn(ORDER, F.struct(*columns)))


def _ordered(draft: Draft, name: str) -> Column:
    """A numeric that travels as text is ordered as the number that it is: nearly first, then exactly."""
    value = column_of(name)
    if not is_wide_numeric(draft.postgresql_types.get(name, "")):
        return value
    number = F.struct(value.try_cast("double"), value.try_cast("decimal(38,18)"))
    return F.when(value.isNotNull(), number)


def keep_one_of_each_key(draft: Draft, key: Sequence[str], deduplicate: Deduplicate | None) -> Draft:
    """The first good row of each key stays. Without an order nobody can say which: then the load is refused."""
    is_good = F.col(FAILURE).isNull()
    columns = [column_of(name) for name in key]
    window = Window.partitionBy(*columns, is_good).orderBy(*_order(deduplicate), *_content(draft))
    numbered = draft.frame.withColumn(_PLACE, F.row_number().over(window))
    outcome = Outcome.DEDUPLICATED if deduplicate else Outcome.DUPLICATE_KEY
    struct = f"struct({', '.join(map(spark_identifier, key))})"
    shown = "'***'" if draft.unshown & set(key) else f"to_json({struct}, map('ignoreNullFields', 'false'))"
    reason = f"concat('another row has the key ', {shown})"
    checked = replace(draft, frame=numbered).failing([Check(outcome.value, f"{_PLACE} > 1", reason, outcome)])
    return replace(checked, frame=checked.frame.drop(_PLACE, ORDER))


def _refuse_unsorted(draft: Draft, table: TableConfig, deduplicate: Deduplicate) -> None:
    """`9 days` comes after `10 days` as text: who is the first of a key would be decided by its spelling."""
    for order in deduplicate.order_by:
        field = draft.fields.get(order.column)
        if field is None or not isinstance(field.dataType, StringType):
            continue
        declared = draft.postgresql_types.get(order.column, "text")
        if not (_SORTS_AS_TEXT.fullmatch(declared) or is_wide_numeric(declared)):
            raise fault(
                table,
                "deduplicate.order_by",
                f"expected a column that sorts, found {order.column}, a {declared} that travels as text, which sorts "
                "by its letters; cast it (`cast`) or derive a number or a time of it (`derive`)",
            )


def _order(deduplicate: Deduplicate | None) -> list[Column]:
    """NULL counts as the least: a row without a date never wins over one that has it, newest first."""
    order = deduplicate.order_by if deduplicate else ()
    columns = [F.col(f"{ORDER}.c{place}") for place in range(len(order))]
    return [
        column.desc_nulls_last() if one.descending else column.asc_nulls_first()
        for column, one in zip(columns, order, strict=True)
    ]


def _content(draft: Draft) -> list[Column]:
    """Equal in order, different in content: the hash of the whole row decides, the same in every run."""
    parts: list[Column] = []
    for name, field in draft.fields.items():
        # the hash passes over NULL: without the flag (NULL, 'a') and ('a', NULL) would be one
        parts += [F.expr(part) for part in identity(spark_identifier(name), field.dataType.simpleString())]
        parts.append(column_of(name).isNull())
    return [F.xxhash64(*parts)]
