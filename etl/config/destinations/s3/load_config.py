"""How the lake takes a table."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from etl.config.destinations.load_config import WithDecimals
from etl.model import Destination, WriteMode


class S3Format(StrEnum):
    DELTA = "delta"
    PARQUET = "parquet"
    JSON = "json"


_FILE_MODES = frozenset(
    {WriteMode.APPEND, WriteMode.OVERWRITE, WriteMode.OVERWRITE_PARTITIONS, WriteMode.IGNORE, WriteMode.ERROR}
)
_DELTA_MODES = _FILE_MODES | {WriteMode.MERGE}

Compression = Literal["zstd", "snappy", "gzip", "none"]


class S3TableLoadConfig(WithDecimals):
    """`partition_by` is `("partition_date",)` or empty. `path` stands under s3a://{bucket}/data-lake/."""

    most_digits: ClassVar[int] = 38
    supported_modes: ClassVar[frozenset[WriteMode]] = _DELTA_MODES
    destination: Destination = Destination.S3
    path: str
    format: S3Format = S3Format.PARQUET
    compression: Compression = "zstd"
    """Of JSON files gzip is the default, and zstd and snappy are refused."""
    target_file_size_mb: int = Field(default=128, ge=1)
    retention_days: int | None = Field(default=None, ge=1)
    vacuum_hours: int = Field(default=168, ge=0)

    @model_validator(mode="after")
    def _readers_take_the_compression(self) -> S3TableLoadConfig:
        if self.format is not S3Format.JSON:
            return self
        if "compression" not in self.model_fields_set:
            # a default factory would add a fault of its own to every other one of the entry
            object.__setattr__(self, "compression", "gzip")
        if self.compression in ("zstd", "snappy"):
            raise ValueError(
                f"compression {self.compression} does not go with format json: Spark reads such text only with native "
                "libraries; valid: gzip, none"
            )
        return self

    @property
    def store(self) -> str:
        return f"{self.destination} with format {self.format}"

    @property
    def modes(self) -> frozenset[WriteMode]:
        return _DELTA_MODES if self.format is S3Format.DELTA else _FILE_MODES

    @property
    def holds_bytes_as_text(self) -> bool:
        return self.format is S3Format.JSON
