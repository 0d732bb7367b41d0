"""Files of one format, one after the other in the order of their names. A batch never spans two of them."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from etl.errors import SourceError
from etl.files.finding import each_once, named
from etl.names import path_of, stored_name
from etl.staging.batch.records import RawBatch
from etl.staging.sources.base import UNBOUNDED_BYTES, After, Format, Place, Slice
from etl.staging.sources.opening import fingerprint, is_readable, reading, refuse_changed

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FileSource:
    """A batch's position is its file as it was, and the slice of it that its format can find again."""

    format: Format
    files: tuple[Path, ...]
    can_be_read_again: bool = True

    def for_run(self, run_id: str) -> FileSource:
        return self

    def forget(self, index: int) -> None:
        """Nothing is kept."""

    def batches(self, batch_size: int, after: After | None = None) -> Iterator[RawBatch]:
        index, ordinal, files, start = self._behind(after)
        try:
            for path in files:
                known = {"file": stored_name(path), **fingerprint(path)}
                begun = ordinal
                for piece in _slices(self.format, path, batch_size, start):
                    position = {**known, "ordinal": ordinal, **piece.position}
                    ordinals = range(ordinal, ordinal + len(piece.records))
                    yield RawBatch(index, position, ordinals, piece.records)
                    index, ordinal = index + 1, ordinals.stop
                if ordinal == begun and start is None:
                    log.warning("file without records", file=known["file"], size=known["size"])
                start = None
        except SourceError as error:
            raise SourceError(f"{error.message}; until then the input gave {ordinal:,} records") from error

    def is_here(self, position: dict[str, Any]) -> bool:
        """Files are expected on every machine: one that is missing is a fault."""
        return True

    def read_again(self, index: int, position: dict[str, Any]) -> RawBatch:
        path, count, ordinal = path_of(position["file"]), position["records"], position["ordinal"]
        refuse_changed(path, position)
        # a failure behind the batch is not the batch's
        with reading(path) as stream:
            piece = next(iter(self.format.slices(stream, count, position["start"], UNBOUNDED_BYTES)), None)
        found = piece.records if piece else []
        if len(found) != count:
            raise SourceError(f"{path}: expected {count} records of batch {index}, found {len(found)}")
        return RawBatch(index, position, range(ordinal, ordinal + count), found)

    def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]:
        position = batch.position
        return {"file": position["file"], **self.format.locate(position, ordinal - position["ordinal"])}

    def _behind(self, after: After | None) -> tuple[int, int, tuple[Path, ...], Place | None]:
        if after is None:
            if not self.files:
                raise SourceError("none of the files that the job's paths name is there any more; put them back")
            return 0, 0, self.files, None
        index, position = after
        path = path_of(position["file"])
        if path not in self.files:
            raise SourceError(f"{path}, which the run was reading, is not among the job's files any more; put it back")
        refuse_changed(path, position)
        ordinal = position["ordinal"] + position["records"]
        return index + 1, ordinal, self.files[self.files.index(path) :], position["end"]


def find_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Each file once, those of a pattern in the order of their names; every pattern must match something."""
    found: list[Path] = []
    for pattern in patterns:
        files = [path for path in _named(pattern) if path.is_file()]
        if not files:
            raise SourceError(_nothing(pattern))
        found += files
    for path in found:
        if not is_readable(path):
            raise SourceError(f"{path} cannot be read: this user lacks the permission")
    return _by_last_name(found)


def name_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """As `find_files` where a run read them before: one that is missing now is told when it is to be read."""
    return _by_last_name([path for pattern in patterns for path in _named(pattern) if not path.is_dir()])


def _by_last_name(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Each file once, at its last place: of files in the order of their age the latest record wins, whatever link led
    to it before."""
    return tuple(reversed(each_once(reversed(paths))))


def _named(pattern: str) -> list[Path]:
    """A name that is not UTF-8 is written with its bytes as \\xe9, as the ledger keeps it."""
    return named(str(path_of(pattern)))


def _nothing(pattern: str) -> str:
    path = path_of(pattern)
    if path.is_dir():
        return f"{pattern} is a folder; name its files, as {pattern}/*"
    if path.exists():
        return f"no file {pattern}: it is no regular one"
    return f"no file matches {pattern}" if glob.has_magic(pattern) else f"no file {pattern}"


def _slices(form: Format, path: Path, size: int, start: Place | None) -> Iterator[Slice]:
    with reading(path) as stream:
        yield from form.slices(stream, size, start)
