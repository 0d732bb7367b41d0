"""A type that grew at the source: the lake widens as the other stores do, and whoever reads it reads on."""

from __future__ import annotations

import pytest

from etl.config.destinations.s3.load_config import S3Format
from etl.errors import SchemaMismatchError
from etl.model import WriteMode
from tests.integration.load.s3.conftest import Lake

pytestmark = pytest.mark.stack

NARROW = "1 id, cast(1.5 as float) f, cast(2.25 as decimal(10,2)) d, cast('2025-11-03' as date) day"
WIDE = "id bigint, f double, d decimal(13,3), day date"
FAR = "({id}L, 0.1D, cast(1234567890.125 as decimal(13,3)), date '2025-11-04')"


@pytest.mark.parametrize(
    ("file_format", "mode", "resolution"),
    [
        (S3Format.DELTA, WriteMode.MERGE, "update"),
        (S3Format.DELTA, WriteMode.APPEND, "skip"),
        (S3Format.DELTA, WriteMode.OVERWRITE_PARTITIONS, "update"),
        (S3Format.DELTA, WriteMode.OVERWRITE, "update"),
        (S3Format.PARQUET, WriteMode.OVERWRITE, "update"),
    ],
)
def test_a_wider_type_widens_the_column(lake: Lake, file_format: S3Format, mode: WriteMode, resolution: str) -> None:
    config = lake.config(format=file_format, mode=mode, conflict_resolution=resolution)
    lake.loader("run-1").load(lake.spark.sql(f"SELECT {NARROW}"), config)
    rows = [FAR.format(id=2**40)]
    if mode is WriteMode.OVERWRITE:
        rows.append("(1L, 1.5D, cast(2.25 as decimal(13,3)), date '2025-11-03')")
    wide = lake.spark.sql(f"SELECT * FROM VALUES {', '.join(rows)} AS t(id, f, d, day)")
    assert "schema: column id is int in the target and bigint now" in lake.loader("run-2").plan(wide, config)
    result = lake.loader("run-2").load(wide, config)
    assert (result.rows_inserted, result.rows_updated, result.rows_deleted) == (1, 0, 0)
    read = lake.read(config)
    found = {name: kind for name, kind in read.dtypes if name in ("id", "f", "d", "day")}
    assert found == dict(pair.split() for pair in WIDE.split(", "))
    assert [tuple(map(str, row)) for row in read.select("id", "f", "d").orderBy("id").collect()] == [
        ("1", "1.5", "2.250"),
        (str(2**40), "0.1", "1234567890.125"),
    ]
    # narrower again: the column stays as wide as it is
    again = lake.spark.sql(f"SELECT {NARROW}")
    if mode is not WriteMode.OVERWRITE:
        assert lake.loader("run-3").load(again, config).rows_unchanged == 1
    assert dict(lake.read(config).dtypes)["id"] == "bigint"
    if file_format is S3Format.DELTA:
        protocol = lake.spark.sql(f"DESCRIBE DETAIL delta.`{lake.path(config).uri}`").head()
        assert protocol is not None and protocol["minReaderVersion"] == 1


@pytest.mark.parametrize(
    ("file_format", "mode", "kind"),
    [(S3Format.DELTA, WriteMode.MERGE, "string"), (S3Format.PARQUET, WriteMode.OVERWRITE_PARTITIONS, "bigint")],
)
def test_what_cannot_be_widened_is_refused(lake: Lake, file_format: S3Format, mode: WriteMode, kind: str) -> None:
    config = lake.config(format=file_format, mode=mode, key=("day",))
    lake.loader("run-1").load(lake.spark.sql(f"SELECT {NARROW}"), config)
    changed = lake.spark.sql(f"SELECT {NARROW}").selectExpr(f"cast(id as {kind}) id", "f", "d", "day")
    with pytest.raises(SchemaMismatchError, match=f"column id is int in the target and {kind} now"):
        lake.loader("run-2").load(changed, config)
