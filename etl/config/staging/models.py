"""What a staging job's YAML entry means, typed and frozen."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from etl.config.frozen import FrozenModel, listed
from etl.config.limits import DEFAULT_MAXIMUM_REJECTED, Limit

SMALLEST_BATCH = 100
LARGEST_BATCH = 10_000
DEFAULT_RETRIES = 5

_TARGET_TABLE = re.compile(r"stg_[a-z0-9_]{1,59}")
_QUERY = re.compile(r"(?is)(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:select|with|values|table)\b")


class FileFormat(StrEnum):
    NDJSON = "ndjson"
    JSON_ARRAY = "json_array"
    CSV = "csv"
    PARQUET = "parquet"


FILE_TYPES = frozenset(FileFormat)
"""Sources that can be read again; of the others what was read is kept until it is stored."""


class InstantFormat(StrEnum):
    ISO = "iso"
    EPOCH_SECONDS = "epoch_seconds"
    EPOCH_MILLISECONDS = "epoch_milliseconds"


def _stripped_query(written: str) -> str:
    query = written.strip().removesuffix(";").rstrip()
    if not _QUERY.match(query):
        raise ValueError("expected a query that begins with SELECT or WITH")
    return query


Text = Annotated[str, Field(min_length=1)]
Paths = Annotated[tuple[Text, ...], BeforeValidator(listed), Field(min_length=1)]
Delimiter = Annotated[str, Field(pattern=r'^[^"\r\n]$')]


# --- where records come from ----------------------------------------------------------------------------------------


class JsonFiles(FrozenModel):
    """`path`: one or several, each a file or a pattern, relative to the configuration's folder."""

    type: Literal["ndjson", "json_array", "parquet"]
    path: Paths


class CsvFiles(FrozenModel):
    type: Literal["csv"]
    path: Paths
    delimiter: Delimiter = ","


class PostgreSQLQuery(FrozenModel):
    """Without `url` it is asked of the `source` server."""

    type: Literal["query"]
    query: Annotated[str, AfterValidator(_stripped_query)]
    url: SecretStr | None = None


class StandardInputSource(FrozenModel):
    type: Literal["stdin"]
    format: Literal[FileFormat.NDJSON, FileFormat.JSON_ARRAY, FileFormat.CSV] = FileFormat.NDJSON
    delimiter: Delimiter = ","


StagingSource = Annotated[JsonFiles | CsvFiles | PostgreSQLQuery | StandardInputSource, Field(discriminator="type")]


# --- what is asked of them ------------------------------------------------------------------------------------------


class StagingTimeouts(FrozenModel):
    """Seconds. `pool`: how long a batch waits for a free connection."""

    statement: float = Field(default=60, gt=0)
    lock: float = Field(default=15, gt=0)
    connect: int = Field(default=10, ge=1)
    pool: float = Field(default=30, gt=0)


def _checked_table(name: str) -> str:
    if not _TARGET_TABLE.fullmatch(name):
        raise ValueError(f"expected stg_ and lower-case letters, digits and _ (63 characters at most); found {name!r}")
    return name


class StagingJob(FrozenModel):
    """One job: where its records come from, what is asked of them, and the table they go to.

    `source_id`, `source_updated_at` and `required` are dotted paths into the record.
    """

    id: str
    description: str | None = None
    target_table: Annotated[str, AfterValidator(_checked_table)]
    source: StagingSource
    source_id: Text
    source_updated_at: Text | None = None
    source_updated_at_format: InstantFormat = InstantFormat.ISO
    required: tuple[Text, ...] = ()
    shape: dict[str, Any] | None = None
    """JSON Schema; in YAML inline, or the path of a file."""
    batch_size: int = Field(default=1000, ge=SMALLEST_BATCH, le=LARGEST_BATCH)
    workers: int = Field(default=2, ge=1, le=64)
    """Batches in flight. With two, one is made ready while the other waits for its COMMIT."""
    retries: int = Field(default=DEFAULT_RETRIES, ge=0, le=100)
    """Of one batch, after what may pass: a lost connection, a deadlock, a busy server."""
    skip_unchanged: bool = True
    maximum_invalid: Limit | None = None
    maximum_rejected: Limit = DEFAULT_MAXIMUM_REJECTED
    gin_index: bool = False
    hot_updates: bool = False
    """For a table whose rows are mostly updated: none of them touches an index."""
    maximum_record_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, le=200 * 1024 * 1024)
    timeouts: StagingTimeouts = StagingTimeouts()

    @field_validator("hot_updates")
    @classmethod
    def _without_gin_index(cls, is_wanted: bool, info: ValidationInfo) -> bool:
        if is_wanted and info.data.get("gin_index"):
            raise ValueError("expected no gin_index beside it, which every update of `data` has to touch")
        return is_wanted
