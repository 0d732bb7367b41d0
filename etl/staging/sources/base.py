"""What the loader asks of a source, and what a source of files asks of a format."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from etl.errors import EtlError
from etl.staging.batch.records import RawBatch

ItemT = TypeVar("ItemT")
Place = dict[str, Any]
"""A place in a file or stream, in the words of its format; it stands in the ledger as JSON."""

After = tuple[int, dict[str, Any]]
"""Index and position of the last batch that is known: go on behind it."""


class Source(Protocol):
    """Records of one input, in batches that can each be read again."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that were found for its patterns; none where it is no source of files."""

    @property
    def can_be_read_again(self) -> bool:
        """Whether the input itself can; what cannot is kept in the spool until its batch is stored."""

    def for_run(self, run_id: str) -> Source:
        """The same source, keeping what it must keep under the run's name."""

    def batches(self, batch_size: int, after: After | None = None) -> Iterator[RawBatch]:
        """From the beginning, or behind a batch. Where the input breaks off, what was whole comes before the error."""

    def read_again(self, index: int, position: dict[str, Any]) -> RawBatch:
        """Just that batch, record by record the same; refused where the input has changed since."""

    def is_here(self, position: dict[str, Any]) -> bool:
        """Whether this is the machine to read that batch again on."""

    def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]:
        """Where a person finds the record: file and line, row or element, counted from 1."""

    def forget(self, index: int) -> None:
        """The batch is stored: nobody will read it again."""


class Stream(Protocol):
    """An input that can be read once, from its beginning."""

    def batches(self, batch_size: int) -> Iterator[RawBatch]: ...

    def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]: ...


BATCH_BYTES = 16 * 1024 * 1024
"""A batch ends with the record that reaches so many, whatever its number of records: a server takes no statement of a
gigabyte, and memory holds several batches. So it is smaller than this and one more record."""

UNBOUNDED_BYTES = sys.maxsize
"""For a batch that is read again: it was cut when it was first read."""


@dataclass(frozen=True)
class Slice:
    """Consecutive records, from one place to another. `gaps`: [record, lines before it that are no records]."""

    records: list[bytes]
    start: Place
    end: Place
    gaps: list[list[int]] = field(default_factory=list)

    @property
    def position(self) -> dict[str, Any]:
        position = {"records": len(self.records), "start": self.start, "end": self.end}
        return {**position, "gaps": self.gaps} if self.gaps else position


class Format(Protocol):
    """How one kind of file holds records."""

    def slices(
        self, stream: BinaryIO, size: int, start: Place | None = None, size_bytes: int = BATCH_BYTES
    ) -> Iterator[Slice]:
        """`size` records each, fewer where they reach `size_bytes` and in the last; from a place that an earlier slice
        began or ended at. Where a slice ends depends on the records alone."""

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        """Of the record with this number within a slice."""


def until_failure(items: Iterable[ItemT], failures: list[Exception]) -> Iterator[ItemT]:
    """Ends where the input breaks off, so that what it gave until then can be handed on before the error."""
    try:
        yield from items
    except (EtlError, OSError) as error:
        failures.append(error)


def numbered_slices(
    records: Iterable[bytes], size: int, start: Place | None, size_bytes: int = BATCH_BYTES
) -> Iterator[Slice]:
    """For formats whose places are numbers of records; the caller has passed over those before `start`."""
    row = start["row"] if start else 0
    failures: list[Exception] = []
    held, held_bytes = list[bytes](), 0
    for record in until_failure(records, failures):
        held.append(record)
        held_bytes += len(record)
        if len(held) == size or held_bytes >= size_bytes:
            end = row + len(held)
            yield Slice(held, {"row": row}, {"row": end})
            row, held, held_bytes = end, [], 0
    if held:
        yield Slice(held, {"row": row}, {"row": row + len(held)})
    if failures:
        raise failures[0]
