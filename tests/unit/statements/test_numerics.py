"""What stands for a numeric that no Spark decimal holds."""

from __future__ import annotations

import re

import pytest

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.model import WriteMode
from etl.statements.numerics import fits_exactly, stored_numeric
from etl.statements.types import is_wide_numeric, spark_type_of


@pytest.mark.parametrize(
    ("type_", "spark", "is_wide"),
    [
        ("numeric(38,18)", "decimal(38,18)", False),
        ("numeric(3,-2)", "decimal(5,0)", False),
        ("numeric(2,4)", "decimal(4,4)", False),
        ("numeric(36,-3)", "string", True),
        ("numeric(39,0)", "string", True),
        ("numeric", "string", True),
        ("numeric[]", "array<string>", True),
        ("money", "decimal(23,4)", False),
        ("text", "string", False),
    ],
)
def test_which_numerics_travel_as_their_digits(type_: str, spark: str, is_wide: bool) -> None:
    assert (spark_type_of(type_), is_wide_numeric(type_)) == (spark, is_wide)


@pytest.mark.parametrize(
    ("type_", "numeric_as", "most_digits", "expected"),
    [
        ("numeric", None, 38, "decimal(38,18)"),
        ("numeric[]", None, 38, "array<decimal(38,18)>"),
        ("numeric", "text", 38, "string"),
        ("numeric[]", "text", 38, "array<string>"),
        ("numeric", {"amount": "numeric(20,4)"}, 38, "decimal(20,4)"),
        ("numeric", {"other": "text"}, 38, "decimal(38,18)"),
        ("numeric(50,10)", None, 38, None),
        ("numeric(50,10)", None, 76, "decimal(50,10)"),
        ("numeric(50,10)", {"amount": "numeric(38,10)"}, 38, "decimal(38,10)"),
        ("numeric(78,0)", None, 76, None),
        ("numeric(78,0)", "text", 76, "string"),
    ],
)
def test_stored_numeric(
    type_: str, numeric_as: str | dict[str, str] | None, most_digits: int, expected: str | None
) -> None:
    assert stored_numeric("amount", type_, numeric_as, most_digits) == expected


@pytest.mark.parametrize(
    ("digits", "decimal", "fits"),
    [
        ("0.12", "decimal(4,2)", True),
        ("-99.990000000", "decimal(4,2)", True),
        ("0000099.9", "decimal(4,2)", True),
        ("100", "decimal(4,2)", False),
        ("0.001", "decimal(4,2)", False),
        ("0.5", "decimal(2,2)", True),
        ("1.5", "decimal(2,2)", False),
        ("NaN", "decimal(38,18)", False),
        ("-Infinity", "decimal(38,18)", False),
        ("0.0000000000000000001", "decimal(38,18)", False),
    ],
)
def test_only_what_is_the_same_fits(digits: str, decimal: str, fits: bool) -> None:
    pattern = fits_exactly("v", decimal).removeprefix("v RLIKE '").removesuffix("'")
    assert (re.search(pattern, digits) is not None) is fits


def test_a_form_is_text_or_a_numeric_within_the_stores_decimals() -> None:
    config = S3TableLoadConfig(table_name="t", mode=WriteMode.OVERWRITE, path="t", numeric_as={"a": "DECIMAL(20, 4)"})
    assert config.numeric_as == {"a": "numeric(20,4)"}
    for form, said in (
        ("numeric", "with its precision"),
        ("int", "with its precision"),
        ("numeric(39,0)", "at most 38"),
    ):
        with pytest.raises(ValueError, match=said):
            S3TableLoadConfig(table_name="t", mode=WriteMode.OVERWRITE, path="t", numeric_as=form)
    ClickHouseTableLoadConfig(table_name="t", mode=WriteMode.MERGE, target_name="t", numeric_as="numeric(76,38)")
