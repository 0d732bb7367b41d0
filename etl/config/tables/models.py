"""What a table's YAML entry means, typed and frozen. Column types are not here: they live in the source's schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, SerializeAsAny, model_validator

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.frozen import FrozenModel
from etl.config.tables.masks import Mask
from etl.model import Destination, ExtractMode, TableDefinition, TableKind, VanishedRows
from etl.postgresql_types import format_type

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


class LateCommits(StrEnum):
    """How rows are found that were committed when their watermark was behind the mark already: within the overlap, or
    all of them, by the source's transactions."""

    OVERLAP = "overlap"
    EXACT = "exact"


class ExtractConfig(FrozenModel):
    mode: ExtractMode = ExtractMode.FULL
    watermark: str | None = None
    overlap_seconds: int = Field(default=600, ge=0)
    late_commits: LateCommits = LateCommits.OVERLAP
    partitions: int | None = Field(default=None, ge=1)

    @property
    def follows_transactions(self) -> bool:
        return self.mode is ExtractMode.INCREMENTAL and self.late_commits is LateCommits.EXACT


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

    later_fields: ClassVar[frozenset[str]] = frozenset({"deleted_when"})

    rename: dict[str, str] = Field(default_factory=dict)
    trim: bool | tuple[str, ...] = False
    cast: ColumnTypes = Field(default_factory=dict)
    default: dict[str, Any] = Field(default_factory=dict)
    derive: dict[str, str] = Field(default_factory=dict)
    filter: str | None = None
    deleted_when: str | None = None
    """Rows for which it holds are deleted at the source: by their key they go from the stores, or are marked there."""
    required: tuple[str, ...] = ()
    normalize_case: tuple[str, ...] = ()
    """Columns of `allowed` whose letter case and spaces are brought to the spelling of the list."""
    allowed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: dict[str, str] = Field(default_factory=dict)
    deduplicate: Deduplicate | None = None
    hash: tuple[str, ...] = ()
    mask: dict[str, Mask] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()
    transformer: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


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
    loads: dict[Destination, SerializeAsAny[TableLoadConfig]] = Field(default_factory=dict)
    """Read by each destination's own model (entries.py)."""
    definition: TableDefinition | None = None
    """The source's schema where it is known offline (sql/postgresql/source or `columns` of a file source)."""

    @property
    def parts_deleted(self) -> bool:
        """Whether rows that the source calls deleted go another way than the others; where all stores keep what is gone
        they are rows like any."""
        takes = [load.vanished_rows for load in self.loads.values() if load.enabled]
        return self.transform.deleted_when is not None and any(each is not VanishedRows.KEEP for each in takes)
