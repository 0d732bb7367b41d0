"""What cannot be read twice is kept on disk until it is stored: a file of NDJSON for each batch, named by its run.

A batch's file is on the disk before anything else is done with the batch, and gone when the batch is stored. What a
dead run leaves stays for its retry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etl.errors import InputAwayError, SourceError
from etl.files.writing import whole
from etl.staging.batch.records import RawBatch
from etl.staging.sources.base import After, Stream
from etl.staging.sources.opening import naming


@dataclass(frozen=True)
class Spool:
    directory: Path

    def write(self, run_id: str, batch: RawBatch) -> RawBatch:
        """The batch, to be found again by its position."""
        path = self._path(run_id, batch.index)
        position = {**batch.position, "spool": str(path.absolute())}
        with naming(f"spool file {path}", "written"):
            self.directory.mkdir(parents=True, exist_ok=True)
            with whole(path) as file:
                file.writelines(record + b"\n" for record in batch.records)
        return replace(batch, position=position)

    def read(self, index: int, position: dict[str, Any]) -> RawBatch:
        path, count, ordinal = Path(position["spool"]), position["records"], position["ordinal"]
        if not path.is_file():
            raise InputAwayError(f"batch {index} is not in the spool any more: no file {path}; load the input again")
        with naming(f"spool file {path}"):
            records = path.read_bytes().split(b"\n")[:-1]
        if len(records) != count:
            raise SourceError(f"spool file {path}: expected {count} records, found {len(records)}")
        return RawBatch(index, position, range(ordinal, ordinal + count), records)

    def has(self, position: dict[str, Any]) -> bool:
        return Path(position["spool"]).is_file()

    def remove(self, run_id: str, index: int) -> None:
        path = self._path(run_id, index)
        with naming(f"spool file {path}", "removed"):
            path.unlink(missing_ok=True)

    def leftovers(self) -> dict[str, int]:
        """Run → how many of its batches are kept."""
        return dict(Counter(path.name.split(".")[0] for path in sorted(self.directory.glob("*.*.ndjson"))))

    def _path(self, run_id: str, index: int) -> Path:
        # a run id has no dot
        return self.directory / f"{run_id}.{index:06d}.ndjson"


@dataclass(frozen=True)
class SpooledSource:
    """A stream that can be read again, batch by batch, as far as it was read."""

    stream: Stream
    spool: Spool
    run_id: str | None = None
    can_be_read_again: bool = False
    files: tuple[Path, ...] = ()

    def for_run(self, run_id: str) -> SpooledSource:
        return replace(self, run_id=run_id)

    def batches(self, batch_size: int, after: After | None = None) -> Iterator[RawBatch]:
        if after is not None:
            raise SourceError(
                f"the input was not read to its end, and cannot be read again behind batch {after[0]}; "
                "what was read is kept and can be retried; load the input anew for the rest"
            )
        for batch in self.stream.batches(batch_size):
            yield self.spool.write(self._named(), batch)

    def read_again(self, index: int, position: dict[str, Any]) -> RawBatch:
        return self.spool.read(index, position)

    def is_here(self, position: dict[str, Any]) -> bool:
        return self.spool.has(position)

    def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]:
        return self.stream.locate(batch, ordinal)

    def forget(self, index: int) -> None:
        self.spool.remove(self._named(), index)

    def _named(self) -> str:
        if self.run_id is None:
            raise ValueError("a source that is spooled needs a run: for_run(run_id)")
        return self.run_id
