"""What moves through the loader: batches of raw records, and what became of each record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

RUN_POSITIONS = 1 << 40
"""An input position is run_number x this + ordinal: later runs follow earlier ones, records keep their order."""


class RejectReason(StrEnum):
    """Why a record cannot be stored at all."""

    NOT_JSON = "not_json"
    INVALID_UTF8 = "invalid_utf8"
    NOT_AN_OBJECT = "not_an_object"
    BROKEN_ROW = "broken_row"
    """Of CSV or Parquet."""
    NO_SOURCE_ID = "no_source_id"
    BAD_SOURCE_ID = "bad_source_id"
    NUL_CHARACTER = "nul_character"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    TOO_LARGE = "too_large"
    NESTED_TOO_DEEP = "nested_too_deep"
    UNSTORABLE = "unstorable"
    """PostgreSQL's own refusal, with its words."""
    UNREADABLE = "unreadable"
    """Whatever else went wrong with it: a record alone ends no run."""


@dataclass(frozen=True)
class RawBatch:
    """Records as JSON text, still unread. `ordinals` counts them through the run's whole input, from 0.

    `position` says where the source finds just these again; each source knows its own shape of it.
    """

    index: int
    position: dict[str, Any]
    ordinals: Sequence[int]
    records: Sequence[bytes]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.records))


class RuleError(NamedTuple):
    """How a record breaks one of the job's rules. `kind`: required, shape, or instant (its `source_updated_at`).

    `path` is dotted, `steps` are its keys and indexes. `sample`: the value where it is small, else the beginning of it
    (`is_text`) or of its JSON.
    """

    kind: str
    path: str
    steps: Sequence[str | int]
    message: str
    sample: Any
    has_value: bool = True
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Faults:
    """Why a record is invalid, and how often it breaks the rules of each kind."""

    errors: Sequence[RuleError]
    required_fields: int = 0
    shape: int = 0


@dataclass(frozen=True)
class Reject:
    ordinal: int
    reason: RejectReason
    message: str
    record: bytes


@dataclass
class PreparedBatch:
    """A batch ready to be stored, a list a column, each source_id once; and what was left out.

    `source_updated_at` is the record's own, or where that cannot be read, that of the record whose place it took.
    `faults` are those of records by their ordinal; only the records that are rows count. `lines` are the rows as COPY
    takes them, `parameters` as the upsert does, where somebody had the time to write them.
    """

    index: int
    position: dict[str, Any]
    rows_attempted: int
    source_ids: list[str] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    source_updated_at: list[datetime | None] = field(default_factory=list)
    hash_digests: list[str] = field(default_factory=list)
    errors: list[bytes | None] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    faults: dict[int, Faults] = field(default_factory=dict)
    lines: bytes | None = None
    parameters: dict[str, Any] | None = None
    rows_deduplicated: int = 0
    rows_invalid: int = 0

    @property
    def size_bytes(self) -> int:
        """Of what memory holds of it until it is stored."""
        documents = sum(map(len, self.documents))
        written = documents if self.parameters else len(self.lines or b"")
        return documents + written + sum(len(each.record) for each in self.rejects)

    @property
    def required_field_errors(self) -> int:
        return sum(each.required_fields for each in self._counted_faults())

    @property
    def shape_errors(self) -> int:
        return sum(each.shape for each in self._counted_faults())

    def _counted_faults(self) -> list[Faults]:
        return [self.faults[ordinal] for ordinal in self.ordinals if ordinal in self.faults] if self.faults else []
