"""How the lake takes a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from etl.config.destinations.load_config import WithDecimals
from etl.model import ConflictResolution, Destination, Maintenance, WriteMode


class S3Format(StrEnum):
    DELTA = "delta"
    PARQUET = "parquet"
    JSON = "json"


class S3Writer(StrEnum):
    """`rust`: the driver by itself, without a Spark job; `auto`: so for small tables."""

    AUTO = "auto"
    SPARK = "spark"
    RUST = "rust"


_FILE_MODES = frozenset(
    {WriteMode.APPEND, WriteMode.OVERWRITE, WriteMode.OVERWRITE_PARTITIONS, WriteMode.IGNORE, WriteMode.ERROR}
)


@dataclass(frozen=True)
class FormatFacts:
    modes: frozenset[WriteMode] = _FILE_MODES
    updates_in_place: bool = False
    """Stored rows may change, and columns become wider, without all of them being replaced."""
    illegal_in_names: frozenset[str] = frozenset()
    holds_bytes_as_text: bool = False


FORMATS: dict[S3Format, FormatFacts] = {
    S3Format.DELTA: FormatFacts(_FILE_MODES | {WriteMode.MERGE}, True, frozenset(" ,;{}()\n\t=")),
    S3Format.PARQUET: FormatFacts(),
    S3Format.JSON: FormatFacts(holds_bytes_as_text=True),
}

SAFE_VACUUM_HOURS = 168
"""A week: a reader of an older version may still need the files."""

Compression = Literal["zstd", "snappy", "gzip", "none"]


class S3TableLoadConfig(WithDecimals):
    """`partition_by` is `("partition_date",)` or empty. `path` stands under s3a://{bucket}/data-lake/."""

    most_digits: ClassVar[int] = 38
    marks_with: ClassVar[str] = "format: delta, mode: merge"
    deletes_by_key: ClassVar[bool] = True
    beside_rows: ClassVar[frozenset[str]] = WithDecimals.beside_rows | {"vacuum_hours", "maintenance", "writer"}
    supported_modes: ClassVar[frozenset[WriteMode]] = frozenset().union(*(facts.modes for facts in FORMATS.values()))
    destination: Destination = Destination.S3
    path: str
    format: S3Format = S3Format.PARQUET
    compression: Compression = "zstd"
    """Of JSON files gzip is the default, and zstd and snappy are refused."""
    writer: S3Writer = S3Writer.AUTO
    target_file_size_mb: int = Field(default=128, ge=1)
    retention_days: int | None = Field(default=None, ge=1)
    vacuum_hours: int = Field(default=SAFE_VACUUM_HOURS, ge=0)
    maintenance: Maintenance = Maintenance.NEVER

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
    def facts(self) -> FormatFacts:
        return FORMATS[self.format]

    @property
    def modes(self) -> frozenset[WriteMode]:
        return self.facts.modes

    @property
    def updates_in_place(self) -> bool:
        return self.facts.updates_in_place

    @property
    def effective_maintenance(self) -> Maintenance:
        """Plain files have no versions and are not joined: of them only days go."""
        return self.maintenance if self.retention_days or self.format is S3Format.DELTA else Maintenance.NEVER

    @property
    def would_update_files(self) -> bool:
        """Whether a stored row that differs would have to change in a file, which stays as it was written."""
        updates = bool(self.key) and self.conflict_resolution is ConflictResolution.UPDATE
        return updates and self.mode is WriteMode.APPEND and not self.updates_in_place

    @property
    def holds_bytes_as_text(self) -> bool:
        return self.facts.holds_bytes_as_text
