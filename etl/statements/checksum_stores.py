"""What the checksum of a column (checksum.py) is made of in Spark, PostgreSQL and ClickHouse, each in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.model import Column
from etl.postgresql_types import base_type
from etl.statements.checksum_values import CLICKHOUSE, INTEGERS, POSTGRESQL, SPARK, digest_of, element_of
from etl.statements.numerics import without_zeros

_SEPARATOR, _NULL = 31, 30
_TEXT_KEPT_BY_POSTGRESQL = frozenset(
    {"text", "character varying", "character", "uuid", "name", "json", "citext", "numeric"}
)


@dataclass(frozen=True)
class Term:
    """`value` is summed where `counted` is true; no value: only the count is known. `mixed`: the value is a number n
    whose term is to be made of it."""

    value: str | None
    counted: str
    mixed: bool = False
    is_array: bool = False


@dataclass(frozen=True)
class Store:
    """What one store says in words of its own. `text` is that of a text or the bytes, None where the store has
    re-written it; `digits` the text of a decimal wider than Spark's, None where they are not compared."""

    place: int
    present: str
    text: Callable[[Column, str], str | None]
    digits: Callable[[str], str | None]
    array: Callable[[Column, str, str], Term]


def _spark_array(column: Column, name: str, element: str) -> Term:
    value = None
    if _is_joinable(element):
        joined = f"array_join({name}, char({_SEPARATOR}), char({_NULL}))"
        value = digest_of(SPARK, _text(column, joined, "rtrim"))
    elif term := element_of(SPARK, "x", element):
        terms = f"transform({name}, x -> CASE WHEN x IS NOT NULL THEN {term} END)"
        value = digest_of(SPARK, f"array_join({terms}, ',', '-')")
    return Term(value, f"size({name}) > 0", is_array=True)


IN_SPARK = Store(
    SPARK,
    "{v} IS NOT NULL",
    text=lambda column, name: _text(column, name, "rtrim"),
    digits=without_zeros,
    array=_spark_array,
)


def _text_in_postgresql(column: Column, name: str) -> str | None:
    if column.spark_type == "binary":
        return name
    return f"{name}::text" if base_type(column.postgresql_type) in _TEXT_KEPT_BY_POSTGRESQL else None


def _postgresql_array(column: Column, name: str, element: str) -> Term:
    if not column.postgresql_type.endswith("[]"):
        return Term(None, f"{name} IS NOT NULL", is_array=True)
    declared, value = base_type(column.postgresql_type.removesuffix("[]")), None
    # char(n) among them: its elements are filled up with blanks here, and nowhere else
    is_rewritten = declared not in _TEXT_KEPT_BY_POSTGRESQL or declared == "character"
    if _is_joinable(element):
        if not (element == "string" and is_rewritten):
            value = digest_of(POSTGRESQL, f"array_to_string({name}, chr({_SEPARATOR}), chr({_NULL}))")
    elif term := element_of(POSTGRESQL, "u.e", element):
        joined = f"string_agg(coalesce(CASE WHEN u.e IS NOT NULL THEN {term} END, '-'), ',' ORDER BY u.o)"
        value = digest_of(POSTGRESQL, f"(SELECT {joined} FROM unnest({name}) WITH ORDINALITY AS u (e, o))")
    return Term(value, f"cardinality({name}) > 0", is_array=True)


IN_POSTGRESQL = Store(
    POSTGRESQL, "{v} IS NOT NULL", text=_text_in_postgresql, digits=lambda _: None, array=_postgresql_array
)


def _clickhouse_digits(name: str) -> str:
    """Without the zeros that a decimal's text may end in, as statements/numerics.py spells them."""
    text = f"toString(assumeNotNull({name}))"
    return f"if(position({text}, '.') > 0, replaceRegexpOne({text}, '[.]?0+$', ''), {text})"


def _clickhouse_array(column: Column, name: str, element: str) -> Term:
    value = None
    if _is_joinable(element):
        texts = f"arrayMap(x -> ifNull(toString(x), char({_NULL})), {name})"
        joined = f"arrayStringConcat({texts}, char({_SEPARATOR}))"
        value = digest_of(CLICKHOUSE, _text(column, joined, "trimRight"))
    elif term := element_of(CLICKHOUSE, "assumeNotNull(x)", element):
        terms = f"arrayMap(x -> if(isNull(x), '-', {term}), {name})"
        value = digest_of(CLICKHOUSE, f"arrayStringConcat({terms}, ',')")
    return Term(value, f"notEmpty({name})", is_array=True)


IN_CLICKHOUSE = Store(
    CLICKHOUSE,
    "isNotNull({v})",
    text=lambda column, name: f"assumeNotNull({_text(column, name, 'trimRight')})",
    digits=_clickhouse_digits,
    array=_clickhouse_array,
)


def _is_uuid(column: Column) -> bool:
    return column.postgresql_type.removesuffix("[]") == "uuid"


def _is_padded(column: Column) -> bool:
    """char(n): blanks at the end mean nothing, and PostgreSQL's text has none."""
    return base_type(column.postgresql_type) == "character"


def _text(column: Column, value: str, trim: str) -> str:
    """Text in the one form of it that every store can give: `trim` is the store's function for blanks at the end."""
    value = f"lower({value})" if _is_uuid(column) else value
    return f"{trim}({value})" if _is_padded(column) else value


def _is_joinable(element: str) -> bool:
    return element == "string" or element in INTEGERS
