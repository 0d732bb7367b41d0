"""Wide and rare values come back as they went in, from every format."""

from __future__ import annotations

import pytest

from etl.config.destinations.s3.load_config import S3Format
from etl.model import WriteMode
from tests.integration.load.s3.conftest import Lake

pytestmark = pytest.mark.stack

_WIDE = """
    SELECT * FROM VALUES
    (1L, cast('99999999999999999999.123456789012345678' AS decimal(38,18)), timestamp'1969-12-31 23:59:59.999999',
     date'1500-01-01', X'00FF10', array('a', null, ''), array(1, null), double('NaN'), 'tab\\there é 漢字 "q"',
     true, cast(9223372036854775807 AS bigint), cast(1.5 AS float), date'2025-11-08'),
    (2L, cast('-0.000000000000000001' AS decimal(38,18)), timestamp'1500-01-01 00:00:00.000001',
     date'0001-01-01', X'', array(), array(), double('-Infinity'), '', false,
     cast(-9223372036854775808 AS bigint), cast(-0.5 AS float), date'1969-12-31'),
    (3L, null, null, null, null, null, null, null, null, null, null, null, date'9999-12-31')
    AS t(id, amount, at, born, raw, tags, numbers, ratio, text, flag, large, small, day)
"""


@pytest.mark.parametrize("file_format", list(S3Format))
def test_wide_types(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format)
    frame = lake.spark.sql(_WIDE)
    assert lake.loader("run-1").load(frame, config).rows_inserted == 3
    found = lake.read(config).select(*frame.columns)
    text = [f"cast({name} as string) as {name}" if name != "raw" else "hex(raw) as raw" for name in frame.columns]
    assert found.selectExpr(*text).orderBy("id").collect() == frame.selectExpr(*text).orderBy("id").collect()
    assert [f.dataType for f in found.schema] == [f.dataType for f in frame.schema]
    assert lake.loader("run-2").load(frame, config).rows_unchanged == 3


@pytest.mark.parametrize(
    ("file_format", "compression"),
    [(S3Format.PARQUET, name) for name in ("zstd", "snappy", "gzip", "none")]
    + [(S3Format.JSON, name) for name in ("gzip", "none")],
)
def test_every_compression_is_read_by_spark(lake: Lake, file_format: S3Format, compression: str) -> None:
    config = lake.config(format=file_format, compression=compression)
    lake.loader().load(lake.frame((1, "one", "2025-11-03", "1.00")), config)
    assert lake.rows(config) == [(1, "one", "2025-11-03", "1.00")]


def test_a_column_without_a_type_becomes_text(lake: Lake) -> None:
    for file_format in S3Format:
        config = lake.config(format=file_format)
        frame = lake.spark.sql("SELECT 1L AS id, date'2025-11-03' AS day, null AS nothing")
        lake.loader().load(frame, config)
        assert lake.read(config).schema["nothing"].dataType.simpleString() == "string"


def test_the_source_types_ride_along_in_parquet(lake: Lake) -> None:
    config = lake.config(partitioned=False, mode=WriteMode.OVERWRITE)
    frame = lake.frame((1, "one", "2025-11-03", "1.00")).withMetadata("name", {"postgresql_type": "uuid"})
    lake.loader().load(frame, config)
    assert lake.read(config).schema["name"].metadata == {"postgresql_type": "uuid"}
