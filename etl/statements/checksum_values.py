"""The number that a value becomes in a column's checksum (checksum.py), as Spark, PostgreSQL and ClickHouse say it."""

from __future__ import annotations

from etl.model import Digest
from etl.statements.types import SPARK_DIGITS

P = 1_000_000_007
"""A prime below 2^30: the sum of 2^33 such terms still fits a signed 64-bit integer."""
C = 618_033_989
"""Any number below P will do: (n + C)² tells n from -n."""

NAN_BITS = 0x7FF8_0000_0000_0000
_LONG_DIGITS = 18
DIGESTS_END = 1 << 32

INTEGERS = {"tinyint", "smallint", "int", "bigint"}

SPARK, POSTGRESQL, CLICKHOUSE = range(3)
"""Their places in what follows."""

_NUMBERS = {
    "integer": ("cast({v} AS bigint) % {p}", "{v}::bigint % {p}", "toInt64({v}) % {p}"),
    "decimal": (
        "cast({v} * {unit}BD AS bigint) % {p}",
        "({v}::numeric * {unit})::bigint % {p}",
        "toInt64(reinterpretAsInt256(toDecimal256({v}, {scale})) % {p})",
    ),
    "long decimal": (
        # a product would have more digits than a decimal holds
        "cast(replace(cast({v} AS string), '.', '') AS decimal(38,0)) % {p}",
        "({v}::numeric * {unit} % {p})::bigint",
        "toInt64(reinterpretAsInt256(toDecimal256({v}, {scale})) % {p})",
    ),
    "double": (
        "cast(java_method('java.lang.Double', 'doubleToLongBits', cast({v} AS double)) AS bigint) % {p}",
        "CASE WHEN {v} = 'NaN' THEN {nan} ELSE ('x' || encode(float8send({v}), 'hex'))::bit(64)::bigint END % {p}",
        "toInt64(if(isNaN({v}), {nan}, reinterpretAsInt64(toFloat64({v}))) % {p})",
    ),
    "date": (
        "cast(unix_date({v}) AS bigint) % {p}",
        "({v} - DATE '1970-01-01')::bigint % {p}",
        "toInt64(toDate32({v})) % {p}",
    ),
    "timestamp": (
        "unix_micros({v}) % {p}",
        "(extract(epoch FROM {v}) * 1000000)::bigint % {p}",
        "toUnixTimestamp64Micro(toDateTime64({v}, 6, 'UTC')) % {p}",
    ),
}
"""Of a value `v`, by store; `unit` and `scale` are a decimal's."""
_BOOLEAN = ("cast({v} AS bigint)", "{v}::int", "toInt64({v})")
_DIGESTS: dict[Digest, tuple[str, str | None, str]] = {
    Digest.CRC32: ("crc32(cast({v} AS binary))", None, "toInt64(CRC32({v}))"),
    Digest.MD5: (
        "cast(conv(substring(md5(cast({v} AS binary)), 1, 8), 16, 10) AS bigint)",
        "('x' || substr(md5({v}), 1, 8))::bit(32)::bigint",
        "toInt64(reinterpretAsUInt32(reverse(substring(MD5({v}), 1, 4))))",
    ),
}
"""32 bits of each. PostgreSQL has no CRC32 before its version 18."""
_AS_TEXT = ("cast(cast({v} AS bigint) AS string)", "({v})::text", "toString({v})")


def number_of(store: int, value: str, kind: str) -> str | None:
    """None where values of this type are no numbers."""
    family = number_family(kind)
    if family is None:
        return None
    scale = _scale(kind) if "decimal" in family else 0
    return _NUMBERS[family][store].format(v=value, p=P, nan=NAN_BITS, scale=scale, unit=10**scale)


def number_family(kind: str) -> str | None:
    if kind in INTEGERS:
        return "integer"
    if kind in ("float", "double"):
        return "double"
    if kind.startswith("decimal") and not is_wider_than_spark(kind):
        return "decimal" if _digits(kind) <= _LONG_DIGITS else "long decimal"
    return kind if kind in ("date", "timestamp") else None


def boolean_of(store: int, value: str) -> str:
    return _BOOLEAN[store].format(v=value)


def digest_of(store: int, digest: Digest, value: str) -> str | None:
    """None where the store has no such digest."""
    template = _DIGESTS[digest][store]
    return None if template is None else template.format(v=value)


def element_of(store: int, value: str, kind: str) -> str | None:
    """The term of an array's element, as text; of all types but those whose elements are joined as they are."""
    term: str | None
    if kind == "boolean":
        term = boolean_of(store, value)
    elif kind == "binary":
        term = digest_of(store, Digest.MD5, value)
    elif number := number_of(store, value, kind):
        term = mixed(f"({number})")
    else:
        return None
    return None if term is None else _AS_TEXT[store].format(v=term)


def mixed(number: str) -> str:
    """`number` is within ±P. Said the same in all three."""
    return f"({number} + {C}) * ({number} + {C}) % {P}"


def scattered(digest: str) -> str:
    """A CRC32's bits depend on the value's by XOR alone: two values that change alike could make up for one another."""
    return f"({digest} + {mixed(f'({digest} % {P})')}) % {DIGESTS_END}"


def _scale(decimal_type: str) -> int:
    return int(decimal_type.rstrip(")").split(",")[1])


def _digits(decimal_type: str) -> int:
    return int(decimal_type.removeprefix("decimal(").split(",")[0])


def is_wider_than_spark(kind: str) -> bool:
    """A decimal of the store's own: in Spark it is text."""
    return kind.startswith("decimal") and _digits(kind) > SPARK_DIGITS
