import pytest

from etl.load.clickhouse.column_types import Fit, fit, is_nullable, spark_type_that_fits, widened


@pytest.mark.parametrize(
    ("stored", "needed", "expected"),
    [
        ("String", "Nullable(String)", Fit.FITS),
        ("LowCardinality(Nullable(String))", "String", Fit.FITS),
        ("Int64", "Int32", Fit.FITS),
        ("Int32", "Int64", Fit.NARROW),
        ("UInt64", "Int64", Fit.DIFFERENT),
        ("Float64", "Float32", Fit.FITS),
        ("Float32", "Float64", Fit.NARROW),
        ("Decimal(18, 4)", "Decimal(12, 2)", Fit.FITS),
        ("Decimal(12, 2)", "Decimal(12, 4)", Fit.NARROW),
        ("Decimal(12, 4)", "Decimal(12, 2)", Fit.NARROW),
        ("DateTime64(6)", "DateTime64(6, 'UTC')", Fit.FITS),
        ("DateTime64(9, 'Europe/Berlin')", "DateTime64(6, 'UTC')", Fit.FITS),
        ("DateTime64(3, 'UTC')", "DateTime64(6, 'UTC')", Fit.NARROW),
        ("DateTime('UTC')", "DateTime64(6, 'UTC')", Fit.NARROW),
        ("Date", "Date32", Fit.NARROW),
        ("Array(Nullable(Int32))", "Array(Nullable(Int64))", Fit.NARROW),
        ("Array(String)", "String", Fit.DIFFERENT),
        ("Int32", "String", Fit.DIFFERENT),
    ],
)
def test_whether_every_value_has_its_place(stored: str, needed: str, expected: Fit) -> None:
    assert fit(stored, needed) is expected


@pytest.mark.parametrize(
    ("stored", "needed", "expected"),
    [
        ("Int32", "Int64", "Int64"),
        ("Nullable(Int32)", "Int64", "Nullable(Int64)"),
        ("Decimal(12, 2)", "Decimal(12, 4)", "Decimal(14, 4)"),
        ("Decimal(76, 0)", "Decimal(10, 10)", None),
        ("Date", "Date32", "Date32"),
        ("DateTime", "DateTime64(6, 'UTC')", "DateTime64(6, 'UTC')"),
        ("Array(Nullable(Int32))", "Array(Nullable(Int64))", "Array(Nullable(Int64))"),
        ("Int32", "String", None),
    ],
)
def test_a_type_that_holds_both(stored: str, needed: str, expected: str | None) -> None:
    assert widened(stored, needed) == expected


def test_what_spark_can_be_asked_to_fit() -> None:
    assert spark_type_that_fits("Nullable(Int16)") == "smallint"
    assert spark_type_that_fits("Decimal(9, 2)") == "decimal(9,2)"
    assert spark_type_that_fits("Decimal(76, 2)") is None
    assert spark_type_that_fits("String") is None


def test_nullability_within_low_cardinality() -> None:
    assert is_nullable("LowCardinality(Nullable(String))")
    assert not is_nullable("Array(Nullable(String))")
