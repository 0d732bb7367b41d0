"""What `=` calls equal and is not the same, and what a session writes with where no option can say it."""

from __future__ import annotations

from io import BytesIO

import pyarrow.parquet as pq
import pytest

from etl.config.destinations.s3.load_config import S3Format
from etl.load.s3.maintenance import LakeKeeper
from etl.model import ConflictResolution, WriteMode
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import FOUR, NEW_TWO, ONE, THREE, TWO, counts

pytestmark = pytest.mark.stack

_STANDS = """
    SELECT id, date'2025-11-03' AS day, id * 0D AS ratio, float(id * 0D) AS single,
        array(id * 0D, NULL) AS ratios,
        array(timestamp'2026-01-01 00:00:00.000001') AS ats, named_struct('a', 1, 'b', cast(NULL AS int)) AS pair,
        double('NaN') AS nan, '1.5' AS body
    FROM range(8)
"""
_CHANGES = {
    "ratio": "CASE WHEN id = 0 THEN -ratio ELSE ratio END",
    "single": "CASE WHEN id = 1 THEN -single ELSE single END",
    "ratios": "CASE WHEN id = 2 THEN transform(ratios, x -> -x) ELSE ratios END",
    "ats": "CASE WHEN id = 3 THEN array(timestamp'2026-01-01 00:00:00.000002') ELSE ats END",
    "pair": "CASE WHEN id = 4 THEN named_struct('a', cast(NULL AS int), 'b', 1) ELSE pair END",
    "body": "CASE WHEN id = 5 THEN '1.50' ELSE body END",
}
"""Row 6 and 7 stay as they are. Zeros are computed: Spark's generated code has no literal -0."""


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        (S3Format.DELTA, WriteMode.MERGE),
        (S3Format.PARQUET, WriteMode.OVERWRITE_PARTITIONS),
        (S3Format.JSON, WriteMode.OVERWRITE),
    ],
)
def test_what_is_equal_but_not_the_same_is_written(lake: Lake, file_format: S3Format, mode: WriteMode) -> None:
    config = lake.config(format=file_format, mode=mode)
    before = lake.spark.sql(_STANDS)
    after = before.selectExpr(*(f"{_CHANGES.get(name, name)} AS {name}" for name in before.columns))
    assert counts(lake.loader("run-1").load(before, config)) == (8, 0, 0, 0, 0)
    assert counts(lake.loader("run-2").load(before, config)) == (0, 0, 8, 0, 0)
    assert counts(lake.loader("run-2").load(after, config)) == (0, 6, 2, 0, 0)
    texts = [f"cast({name} AS string)" for name in before.columns]
    found = lake.read(config).select(*before.columns).selectExpr(*texts).collect()
    assert sorted(map(tuple, found)) == sorted(map(tuple, after.selectExpr(*texts).collect()))
    assert counts(lake.loader("run-3").load(after, config)) == (0, 0, 8, 0, 0)


def codecs(lake: Lake, key: str) -> set[str]:
    """What the file's own footer says of its columns."""
    footer = pq.ParquetFile(BytesIO(lake.store.get(key) or b"")).metadata
    return {
        footer.row_group(group).column(place).compression
        for group in range(footer.num_row_groups)
        for place in range(footer.num_columns)
    }


def test_rows_that_a_merge_or_a_compaction_writes_anew_have_the_entry_s_codec(lake: Lake) -> None:
    compression, codec = "gzip", "GZIP"
    config = lake.config(format=S3Format.DELTA, mode=WriteMode.MERGE, partitioned=False, compression=compression)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    seen = set(lake.data_keys(config))
    assert set.union(*(codecs(lake, key) for key in seen)) == {codec}

    assert counts(lake.loader("run-2").load(lake.frame(NEW_TWO), config)) == (0, 1, 0, 0, 0)
    merged = set(lake.data_keys(config)) - seen
    assert merged
    assert set.union(*(codecs(lake, key) for key in merged)) == {codec}

    appending = config.model_copy(update={"mode": WriteMode.APPEND, "conflict_resolution": ConflictResolution.ERROR})
    lake.loader("run-3").load(lake.frame(FOUR), appending)
    seen = set(lake.data_keys(config))
    assert LakeKeeper(lake.spark, lake.settings).optimize(config) > 1
    joined = set(lake.data_keys(config)) - seen
    assert joined
    assert set.union(*(codecs(lake, key) for key in joined)) == {codec}
