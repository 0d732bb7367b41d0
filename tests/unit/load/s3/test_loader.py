from typing import Any

import pytest
from pydantic import ValidationError

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.errors import ConfigurationError
from etl.load.s3.loader import refuse_impossible
from etl.model import ConflictResolution, WriteMode


def _config(**over: Any) -> S3TableLoadConfig:
    return S3TableLoadConfig(**{"table_name": "t", "path": "a/t", "key": ("id",), "mode": WriteMode.OVERWRITE, **over})


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"mode": WriteMode.UPSERT}, "use merge for upsert"),
        ({"mode": WriteMode.MERGE}, "merge needs format: delta, not parquet"),
        ({"mode": WriteMode.MERGE, "format": S3Format.DELTA, "key": ()}, "merge needs a key"),
        ({"mode": WriteMode.APPEND}, "parquet files cannot be updated in place"),
        ({"mode": WriteMode.OVERWRITE_PARTITIONS}, "needs partition_by"),
        ({"partition_by": ("partition_date",)}, "partition_by needs a date_column"),
    ],
)
def test_what_no_run_could_do_is_refused_with_its_reason(over: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        refuse_impossible(_config(**over))


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"mode": WriteMode.APPEND, "conflict_resolution": ConflictResolution.ERROR},
        {"mode": WriteMode.APPEND, "key": ()},
        {"mode": WriteMode.APPEND, "format": S3Format.DELTA},
        {"mode": WriteMode.MERGE, "format": S3Format.DELTA},
        {"mode": WriteMode.OVERWRITE_PARTITIONS, "partition_by": ("partition_date",), "date_column": "d"},
        {"mode": WriteMode.IGNORE, "format": S3Format.JSON},
    ],
)
def test_what_can_be_done_passes(over: dict[str, Any]) -> None:
    refuse_impossible(_config(**over))


def test_json_is_compressed_by_what_spark_reads_everywhere() -> None:
    assert _config(format="json").compression == "gzip"
    assert _config(format="json", compression="none").compression == "none"
    assert _config(format="parquet").compression == "zstd"


@pytest.mark.parametrize("compression", ["zstd", "snappy"])
def test_a_compression_that_json_cannot_have_is_refused(compression: str) -> None:
    with pytest.raises(ValidationError, match=f"compression {compression} does not go with format json.*gzip, none"):
        _config(format="json", compression=compression)
