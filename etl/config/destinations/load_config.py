"""What every destination's entry of a table says."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from etl.config.frozen import FrozenModel
from etl.config.limits import Limit
from etl.model import (
    ConflictResolution,
    Destination,
    Maintenance,
    OutOfRange,
    SchemaContract,
    VanishedRows,
    WriteMode,
)
from etl.postgresql_types import format_type, numeric_digits


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


def _word_or_columns(written: Any) -> str:
    return "columns" if isinstance(written, dict) else "word"


def _without_defaults(written: OutOfRange | dict[str, OutOfRange]) -> OutOfRange | dict[str, OutOfRange]:
    """Columns of which the entry says what would be so anyway are none that it speaks of."""
    if isinstance(written, OutOfRange):
        return written
    kept: dict[str, OutOfRange] = {
        name: word for name, word in written.items() if word is not OutOfRange.REJECT_EVERYWHERE
    }
    return kept or OutOfRange.REJECT_EVERYWHERE


OutOfRangeWords = Annotated[
    Annotated[OutOfRange, Tag("word")] | Annotated[dict[str, OutOfRange], Tag("columns")],
    Discriminator(_word_or_columns),
    AfterValidator(_without_defaults),
]
"""One word for all columns, or one a column: of those that are not named the row is rejected everywhere."""


class TableLoadConfig(FrozenModel):
    """What every destination's `TableLoadConfig` says; `mode` and the rest mean the same everywhere."""

    supported_modes: ClassVar[frozenset[WriteMode]]
    """What the destination can do with some table; `modes` is what it can do with this one."""
    follows_key: ClassVar[tuple[str, ...]] = ()
    """Fields that name columns and are the key where nobody says otherwise."""
    can_partition: ClassVar[bool] = True
    marks_with: ClassVar[str] = ""
    """What its block says where rows that are gone can be marked (`vanished_rows: mark`); empty where none can."""
    deletes_by_key: ClassVar[bool] = False
    """Whether its loader deletes, or marks, the rows that the source itself calls deleted (`LoadFacts.deleted`)."""
    beside_rows: ClassVar[frozenset[str]] = frozenset({"maximum_deleted", "maximum_rejected"})
    """Fields that never say which rows stand or how they look: loads go on as before where one is changed."""
    later_fields: ClassVar[frozenset[str]] = frozenset({"out_of_range"})

    table_name: str
    key: tuple[str, ...] = ()
    null_safe_key: bool = False
    mode: WriteMode
    date_column: str | None = None
    conflict_resolution: ConflictResolution = ConflictResolution.UPDATE
    schema_contract: SchemaContract = SchemaContract.EVOLVE
    vanished_rows: VanishedRows = VanishedRows.KEEP
    """A loader obeys it with every frame; the pipeline says `delete` or `mark` only where the frame is the whole
    source."""
    deleted_rows: VanishedRows = Field(default=VanishedRows.KEEP, exclude=True)
    """No key of YAML: the entry's `vanished_rows`, whatever a load has read. By it rows go that the source itself calls
    deleted, and a row that comes back loses its mark also where only a part was read."""
    maximum_deleted: Limit | None = None
    """Of the stored rows, how many may have vanished before a load is refused."""
    maximum_rejected: Limit | None = None
    """Of the rows read, how many may be rejected before a load is refused."""
    out_of_range: OutOfRangeWords = OutOfRange.REJECT_EVERYWHERE
    """What becomes of a row with a value that this destination cannot hold, as its DestinationSpec says."""
    enabled: bool = True
    destination: Destination
    partition_by: tuple[str, ...] = ()

    @property
    def store(self) -> str:
        """As a reader names it: `s3 with format parquet`."""
        return str(self.destination)

    @property
    def modes(self) -> frozenset[WriteMode]:
        return self.supported_modes

    @property
    def key_columns(self) -> tuple[str, ...]:
        """By these a loader finds a stored row, whichever of them decides in the store."""
        followers = (name for field in self.follows_key for name in getattr(self, field))
        return tuple(dict.fromkeys((*self.key, *followers)))

    @property
    def placing_columns(self) -> frozenset[str]:
        """Which row it is and where it stands is told by these: altered, they would make another row of it."""
        return frozenset({*self.key_columns, *([self.date_column] if self.date_column else [])})

    def out_of_range_of(self, column: str) -> OutOfRange:
        """As it is written; what holds is for config/tables/out_of_range.py to say."""
        if isinstance(self.out_of_range, OutOfRange):
            return self.out_of_range
        return self.out_of_range.get(column, OutOfRange.REJECT_EVERYWHERE)

    @property
    def effective_maintenance(self) -> Maintenance:
        """When a run does the target's upkeep; a store that needs none never has any."""
        return Maintenance.NEVER


class WithDecimals(TableLoadConfig):
    """A store whose decimals have `most_digits`; PostgreSQL's numeric has no end."""

    most_digits: ClassVar[int]
    numeric_as: NumericAs | None = None

    @property
    def holds_bytes_as_text(self) -> bool:
        return False

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
