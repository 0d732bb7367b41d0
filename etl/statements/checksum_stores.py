"""What the checksum of a column (checksum.py) is made of in Spark, PostgreSQL and ClickHouse, each in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.model import Column, Digest
from etl.postgresql_types import base_type
from etl.statements.checksum_values import CLICKHOUSE, INTEGERS, POSTGRESQL, SPARK
from etl.statements.numerics import without_zeros

SEPARATOR, NULL = "\x1f", "\x1e"
"""Between the elements of an array that are joined as they are, and in the place of NULL."""
_SEPARATOR, _NULL = ord(SEPARATOR), ord(NULL)
_TEXT_KEPT_BY_POSTGRESQL = frozenset(
    {"text", "character varying", "character", "uuid", "name", "json", "citext", "numeric"}
)


def _as_it_is(value: str) -> str:
    return value


@dataclass(frozen=True)
class Addend:
    """`value` is what one row has; `added` makes of it what is summed."""

    value: str
    added: Callable[[str], str] = _as_it_is


@dataclass(frozen=True)
class Term:
    """Each addend gives a sum, over the rows where `counted` is true; None: this sum is not known."""

    addends: tuple[Addend | None, ...]
    counted: str
    is_array: bool = False


@dataclass(frozen=True)
class Store:
    """What one store says in words of its own, of a column `v`."""

    place: int
    digests: frozenset[Digest]
    present: str
    text: Callable[[Column, str], str | None]
    """A text, or bytes; None where the store has re-written it."""
    digits: Callable[[str], str | None]
    """The text of a decimal wider than Spark's; None where they are not compared."""
    filled: str
    """Whether an array has elements."""
    joined: Callable[[Column, str], str | None]
    """Elements that are joined as they are."""
    element: str
    """One of the others, whose `term` is what `listed` joins."""
    listed: str
    is_array: Callable[[Column], bool] = lambda _: True
    """Whether what is one in Spark is one here."""


def is_joinable(element: str) -> bool:
    return element == "string" or element in INTEGERS


IN_SPARK = Store(
    SPARK,
    frozenset(Digest),
    present="{v} IS NOT NULL",
    text=lambda column, name: _text(column, name, "rtrim"),
    digits=without_zeros,
    filled="size({v}) > 0",
    joined=lambda column, name: _text(column, f"array_join({name}, char({_SEPARATOR}), char({_NULL}))", "rtrim"),
    element="x",
    listed="array_join(transform({v}, x -> CASE WHEN x IS NOT NULL THEN {term} END), ',', '-')",
)


def _text_in_postgresql(column: Column, name: str) -> str | None:
    if column.spark_type == "binary":
        return name
    return f"{name}::text" if base_type(column.postgresql_type) in _TEXT_KEPT_BY_POSTGRESQL else None


def _joined_in_postgresql(column: Column, name: str) -> str | None:
    declared = base_type(column.postgresql_type.removesuffix("[]"))
    # char(n) among them: its elements are filled up with blanks here, and nowhere else
    is_rewritten = declared not in _TEXT_KEPT_BY_POSTGRESQL or declared == "character"
    if column.spark_type == "array<string>" and is_rewritten:
        return None
    return f"array_to_string({name}, chr({_SEPARATOR}), chr({_NULL}))"


IN_POSTGRESQL = Store(
    POSTGRESQL,
    frozenset({Digest.MD5}),
    present="{v} IS NOT NULL",
    text=_text_in_postgresql,
    digits=lambda _: None,
    filled="cardinality({v}) > 0",
    joined=_joined_in_postgresql,
    element="u.e",
    listed="(SELECT string_agg(coalesce(CASE WHEN u.e IS NOT NULL THEN {term} END, '-'), ',' ORDER BY u.o) "
    "FROM unnest({v}) WITH ORDINALITY AS u (e, o))",
    is_array=lambda column: column.postgresql_type.endswith("[]"),
)


def _digits_in_clickhouse(name: str) -> str:
    """Without the zeros that a decimal's text may end in, as statements/numerics.py spells them."""
    text = f"toString(assumeNotNull({name}))"
    return f"if(position({text}, '.') > 0, replaceRegexpOne({text}, '[.]?0+$', ''), {text})"


def _joined_in_clickhouse(column: Column, name: str) -> str:
    texts = f"arrayMap(x -> ifNull(toString(x), char({_NULL})), {name})"
    return _text(column, f"arrayStringConcat({texts}, char({_SEPARATOR}))", "trimRight")


IN_CLICKHOUSE = Store(
    CLICKHOUSE,
    frozenset({Digest.CRC32}),  # a sixth of what an MD5 costs here
    present="isNotNull({v})",
    text=lambda column, name: f"assumeNotNull({_text(column, name, 'trimRight')})",
    digits=_digits_in_clickhouse,
    filled="notEmpty({v})",
    joined=_joined_in_clickhouse,
    element="assumeNotNull(x)",
    listed="arrayStringConcat(arrayMap(x -> if(isNull(x), '-', {term}), {v}), ',')",
)


def is_uuid(column: Column) -> bool:
    return column.postgresql_type.removesuffix("[]") == "uuid"


def is_padded(column: Column) -> bool:
    """char(n): blanks at the end mean nothing, and PostgreSQL's text has none."""
    return base_type(column.postgresql_type) == "character"


def _text(column: Column, value: str, trim: str) -> str:
    """Text in the one form of it that every store can give: `trim` is the store's function for blanks at the end."""
    value = f"lower({value})" if is_uuid(column) else value
    return f"{trim}({value})" if is_padded(column) else value
