"""What a table's YAML entry means, typed and frozen. Column types are not here: they live in the source's schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from etl.config.limits import Limit
from etl.config.postgresql_types import format_type, numeric_digits
from etl.model import (
    ConflictResolution,
    Destination,
    ExtractMode,
    SchemaContract,
    TableDefinition,
    TableKind,
    VanishedRows,
    WriteMode,
)


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


# --- where rows come from -------------------------------------------------------------------------------------------


def _format_types(columns: dict[str, str]) -> dict[str, str]:
    return {name: format_type(written) for name, written in columns.items()}


ColumnTypes = Annotated[dict[str, str], AfterValidator(_format_types)]
"""Column name → PostgreSQL type, spelled as format_type() prints it whatever way it was written."""


class RowSecurity(StrEnum):
    """Where policies of the source hide rows from the role that reads: the load fails, or takes what the role sees."""

    FAIL = "fail"
    FILTER = "filter"


class PostgreSQLSource(FrozenModel):
    """A table or view. `columns` is for one that the offline schema (`source_schema`) does not hold."""

    type: Literal["postgresql"] = "postgresql"
    schema_name: str = "public"
    table: str
    row_security: RowSecurity = RowSecurity.FAIL
    columns: ColumnTypes = Field(default_factory=dict)


class FileFormat(StrEnum):
    CSV = "csv"
    JSON = "json"  # one object a line
    PARQUET = "parquet"
    DELTA = "delta"


class FileSource(FrozenModel):
    """Files of one table. `columns` maps a name to a PostgreSQL type; required for CSV, optional elsewhere."""

    type: Literal["file"] = "file"
    format: FileFormat
    path: str
    columns: ColumnTypes = Field(default_factory=dict)
    header: bool = True
    delimiter: str = ","
    null_value: str = ""
    encoding: str = "UTF-8"


Source = Annotated[PostgreSQLSource | FileSource, Field(discriminator="type")]


class ExtractConfig(FrozenModel):
    mode: ExtractMode = ExtractMode.FULL
    watermark: str | None = None
    overlap_seconds: int = Field(default=600, ge=0)
    partitions: int | None = Field(default=None, ge=1)


# --- what happens to them on the way --------------------------------------------------------------------------------


class OrderColumn(FrozenModel):
    """In YAML also as text: `updated_at`, `updated_at desc` (the same), `revision asc`."""

    column: str
    descending: bool = True

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, written: Any) -> Any:
        if not isinstance(written, str):
            return written
        column, _, direction = written.strip().rpartition(" ")
        if direction.lower() not in ("asc", "desc"):
            column, direction = written.strip(), "desc"
        return {"column": column.strip(), "descending": direction.lower() == "desc"}


class Deduplicate(FrozenModel):
    """Keep the first row of each key in this order; a tie is broken by the row's whole content."""

    order_by: tuple[OrderColumn, ...]


class TransformConfig(FrozenModel):
    """The declarative steps, applied in the order of the fields; `transformer` names a class that runs after them."""

    rename: dict[str, str] = Field(default_factory=dict)
    trim: bool | tuple[str, ...] = False
    cast: ColumnTypes = Field(default_factory=dict)
    default: dict[str, Any] = Field(default_factory=dict)
    derive: dict[str, str] = Field(default_factory=dict)
    filter: str | None = None
    required: tuple[str, ...] = ()
    normalize_case: tuple[str, ...] = ()
    """Columns of `allowed` whose letter case and spaces are brought to the spelling of the list."""
    allowed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: dict[str, str] = Field(default_factory=dict)
    deduplicate: Deduplicate | None = None
    hash: tuple[str, ...] = ()
    mask: dict[str, Literal["email", "phone", "ip", "name", "json", "all"]] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()
    transformer: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


def _numeric_form(written: str) -> str:
    form = "text" if written.strip().lower() == "text" else format_type(written)
    if form != "text" and numeric_digits(form) is None:
        raise ValueError(f"expected text or a numeric with its precision, such as numeric(38,10); found {written!r}")
    return form


def _numeric_forms(written: str | dict[str, str]) -> str | dict[str, str]:
    if isinstance(written, str):
        return _numeric_form(written)
    return {name: _numeric_form(form) for name, form in written.items()}


NumericAs = Annotated[str | dict[str, str], AfterValidator(_numeric_forms)]
"""How a store holds numerics without precision and those too long for its decimals; one form, or one a column."""


# --- how each destination takes them --------------------------------------------------------------------------------


class LoadConfigBase(FrozenModel):
    """What every destination's `TableLoadConfig` says; `mode` and the rest mean the same everywhere."""

    table_name: str
    key: tuple[str, ...] = ()
    null_safe_key: bool = False
    mode: WriteMode
    date_column: str | None = None
    conflict_resolution: ConflictResolution = ConflictResolution.UPDATE
    schema_contract: SchemaContract = SchemaContract.EVOLVE
    vanished_rows: VanishedRows = VanishedRows.KEEP
    """A loader obeys it with every frame; the pipeline says `delete` only where the frame is the whole source."""
    maximum_deleted: Limit | None = None
    """Of the stored rows, how many may have vanished before a load is refused."""
    maximum_rejected: Limit | None = None
    """Of the rows read, how many may be rejected before a load is refused."""
    enabled: bool = True


class WithDecimals(LoadConfigBase):
    """A store whose decimals have `most_digits`; PostgreSQL's numeric has no end."""

    most_digits: ClassVar[int]
    destination: Destination
    numeric_as: NumericAs | None = None

    @model_validator(mode="after")
    def _decimals_are_there(self) -> Self:
        forms = self.numeric_as.values() if isinstance(self.numeric_as, dict) else [self.numeric_as or "text"]
        for form in forms:
            digits = numeric_digits(form)
            if digits and digits[0] > self.most_digits:
                raise ValueError(
                    f"numeric_as {form}: its decimals have at most {self.most_digits} digits; or write text"
                )
        return self


class S3Format(StrEnum):
    DELTA = "delta"
    PARQUET = "parquet"
    JSON = "json"


Compression = Literal["zstd", "snappy", "gzip", "none"]


class S3TableLoadConfig(WithDecimals):
    """`partition_by` is `("partition_date",)` or empty. `path` stands under s3a://{bucket}/data-lake/."""

    most_digits: ClassVar[int] = 38
    destination: Literal[Destination.S3] = Destination.S3
    path: str
    format: S3Format = S3Format.PARQUET
    partition_by: tuple[str, ...] = ()
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


class PostgreSQLTableLoadConfig(LoadConfigBase):
    """`conflict_target` is the one declared arbiter (default: the key)."""

    destination: Literal[Destination.POSTGRESQL] = Destination.POSTGRESQL
    target_schema: str = "public"
    target_name: str
    format: Literal["table"] = "table"
    partition_by: tuple[str, ...] = ()
    conflict_target: tuple[str, ...] = ()
    foreign_keys: bool = True
    copy_format: Literal["binary", "csv"] = "binary"


class ClickHouseEngine(StrEnum):
    MERGE_TREE = "MergeTree"
    REPLACING_MERGE_TREE = "ReplacingMergeTree"


class ClickHouseTableLoadConfig(WithDecimals):
    """`partition_by` holds at most one expression of the date column: toYYYYMM(x) or toYYYYMMDD(x)."""

    most_digits: ClassVar[int] = 76
    destination: Literal[Destination.CLICKHOUSE] = Destination.CLICKHOUSE
    target_database: str | None = None
    target_name: str
    format: Literal["table"] = "table"
    engine: ClickHouseEngine = ClickHouseEngine.MERGE_TREE
    partition_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    version: str | None = None
    ttl: str | None = None
    codec: Literal["LZ4", "ZSTD"] = "LZ4"
    null_array: Literal["refuse", "empty"] = "empty"
    writer: Literal["arrow", "jdbc"] = "arrow"


TableLoadConfig = Annotated[
    S3TableLoadConfig | PostgreSQLTableLoadConfig | ClickHouseTableLoadConfig, Field(discriminator="destination")
]


class TableConfig(FrozenModel):
    """One table: where it comes from, what happens to it, and how each destination takes it."""

    name: str
    domain: str
    kind: TableKind
    key: tuple[str, ...] = ()
    date_column: str | None = None
    source: Source
    extract: ExtractConfig = ExtractConfig()
    transform: TransformConfig = TransformConfig()
    loads: dict[Destination, TableLoadConfig]
    definition: TableDefinition | None = None
    """The source's schema where it is known offline (sql/postgresql/source or `columns` of a file source)."""
