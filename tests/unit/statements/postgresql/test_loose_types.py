import pytest

from etl.statements.postgresql.naming import is_loosely_equal


@pytest.mark.parametrize(
    "kind",
    [
        "boolean", "bigint", "uuid", "bytea", "date", "text", "character varying(80)", "character(5)", "numeric(12,2)",
        "numeric(3)", "timestamp with time zone", "timestamp(3) without time zone", "time without time zone", "inet",
    ],
)  # fmt: skip
def test_equal_values_of_these_types_are_the_same(kind: str) -> None:
    assert not is_loosely_equal(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "numeric", "numeric[]", "double precision", "real", "interval", "interval day to second", "jsonb", "citext",
        "time with time zone", "box", "numrange", "text[]", "public.price", "bpchar",
    ],
)  # fmt: skip
def test_equal_values_of_these_types_may_differ(kind: str) -> None:
    assert is_loosely_equal(kind)
