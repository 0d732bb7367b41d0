"""Names that would end a statement early, and names that no server has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etl.errors import UsageError
from etl.ingestion.database.target import TargetTable
from etl.statements.quoting import (
    clickhouse_identifier,
    postgresql_identifier,
    postgresql_known_identifier,
    spark_identifier,
)

QUOTING = (postgresql_identifier, postgresql_known_identifier, clickhouse_identifier, spark_identifier)


@pytest.mark.parametrize(
    ("quote", "expected"),
    [
        (postgresql_identifier, '"a""b`c\\d"'),
        (postgresql_known_identifier, '"a""b`c\\d"'),
        (clickhouse_identifier, '`a"b\\`c\\\\d`'),
        (spark_identifier, '`a"b``c\\d`'),
    ],
)
def test_what_would_end_a_name_is_part_of_it(quote: Callable[[str], str], expected: str) -> None:
    assert quote('a"b`c\\d') == expected


@pytest.mark.parametrize("quote", QUOTING)
@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_cannot_be_a_name_is_refused(quote: Callable[[str], str], name: str) -> None:
    with pytest.raises(UsageError, match="non-empty identifier"):
        quote(name)


def test_a_name_that_postgresql_would_cut_off_is_refused() -> None:
    assert postgresql_identifier("é" * 31) == f'"{"é" * 31}"'
    with pytest.raises(UsageError, match="at most 63 bytes"):
        postgresql_identifier("é" * 32)


def test_a_name_of_the_catalog_has_the_length_that_its_encoding_allows() -> None:
    assert postgresql_known_identifier("é" * 63) == f'"{"é" * 63}"'


@pytest.mark.parametrize(
    ("schema", "name", "expected"),
    [('a"b', "T", '"a""b"."T"'), (None, 't"; --', '"t""; --"'), ("s", "t.u", '"s"."t.u"')],
)
def test_the_uploader_names_its_target_as_the_catalog_does(schema: str | None, name: str, expected: str) -> None:
    assert TargetTable(schema, name, (), ()).sql == expected
