"""A small Delta table: its data files are Arrow's, its log is the `deltalake` package's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
from pyspark.sql.types import StructType

from etl.load.s3.delta.commit import commit
from etl.load.s3.delta.log import Commit, application_id
from etl.load.s3.delta.table import DeltaLakeTable
from etl.load.s3.delta.transaction import Transaction
from etl.load.s3.driver.canonical import keys_of
from etl.load.s3.driver.data_files import encoded, read_files, refuse_difference
from etl.load.s3.driver.frames import Piece, arrow_schema, pieces_of
from etl.load.s3.driver.snapshot import NewFile, Snapshot, StoredFile
from etl.load.s3.driver.statistics import statistics
from etl.load.s3.driver.table import DriverTable, with_day
from etl.load.s3.files.formats import FileFormat, file_format
from etl.load.s3.job import Change, Job
from etl.model import LoadResult


@dataclass(frozen=True)
class DriverDeltaTable(DriverTable, DeltaLakeTable):
    """A change is one commit onto the version that was looked at. What a merge alters, it writes anew file by file."""

    @cached_property
    def exists(self) -> bool:
        return self._snapshot.log is not None

    @cached_property
    def rows(self) -> pa.Table | None:
        return pa.concat_tables(self._contents).combine_chunks() if self._contents else None

    @property
    def schema(self) -> StructType | None:
        return self._snapshot.schema

    @property
    def refusal(self) -> str:
        snapshot = self._snapshot
        return snapshot.is_beyond_us or self.too_large(len(snapshot.files), snapshot.bytes)

    def append(self, job: Job, change: Change) -> LoadResult:
        return self._publish(job, change, change.frame, [], whole=not self.exists)

    def overwrite(self, job: Job, change: Change) -> LoadResult:
        return self._publish(job, change, change.frame, self._snapshot.files, whole=True)

    def replace_days(self, job: Job, change: Change, days: Collection[date]) -> LoadResult:
        gone = [file for file in self._snapshot.files if file.day in set(days)]
        return self._publish(job, change, change.frame, gone, whole=not self.exists)

    def merge(self, job: Job, change: Change, old_days: frozenset[date]) -> LoadResult:
        """Files that hold a row which changes are replaced by the rest of their rows and the change's."""
        key, names = job.config.key, change.frame.column_names
        changing = set(keys_of(change.frame, key))
        if change.leaving is not None:
            changing |= set(keys_of(change.leaving, key))
        touched = [
            (file, rows)
            for file, rows in zip(self._snapshot.files, self._contents, strict=True)
            if not changing.isdisjoint(keys_of(rows, key))
        ]
        going = [each for each in (change.frame, change.leaving) if each is not None]
        kept = [self._without(rows, going, job).select(names) for _, rows in touched]
        written = pa.concat_tables([change.frame, *kept]).combine_chunks()
        return self._publish(job, change, written, [file for file, _ in touched], whole=False)

    def _without(self, rows: pa.Table, going: Sequence[pa.Table], job: Job) -> pa.Table:
        for each in going:
            rows = self.compare.without_keys(rows, each, job.config)
        return rows

    @cached_property
    def _snapshot(self) -> Snapshot:
        return Snapshot.of(self.place)

    @cached_property
    def _contents(self) -> list[pa.Table]:
        """The rows of each file of the snapshot."""
        files, schema = self._snapshot.files, self.schema
        if not files or schema is None:
            return []
        keys = [self.place.path.prefix + unquote(file.path) for file in files]
        found = read_files(self.place.store, keys, arrow_schema(schema), self.place.table)
        return [with_day(self.place, rows, file.day) for file, rows in zip(files, found, strict=True)]

    def _publish(
        self, job: Job, change: Change, rows: pa.Table, gone: Sequence[StoredFile], *, whole: bool
    ) -> LoadResult:
        form = file_format(job.config, job.schema)
        pieces = enumerate(pieces_of(rows, partitioned=bool(job.config.partition_by)))
        named = {_path(job, piece, number, form.extension): piece for number, piece in pieces}
        version = self._snapshot.next_transaction(application_id(job.run.run_id, job.table))
        write = partial(self._write, job, named, form, gone)
        validate = partial(self._validate, job, named)
        return commit(job, change, write, validate, version=version, rows=rows.num_rows, whole=whole)

    def _write(
        self, job: Job, named: Mapping[str, Piece], form: FileFormat, gone: Sequence[StoredFile], mark: Transaction
    ) -> None:
        """Files that stand without their commit are nobody's; the table's vacuum takes them."""
        contents = {path: encoded(piece, form) for path, piece in named.items()}
        job.place.store.put_many({job.path.prefix + path: content for path, content in contents.items()})
        added = [NewFile(path, len(contents[path]), piece.day, statistics(piece.rows)) for path, piece in named.items()]
        self._snapshot.commit(added, gone, mark, job.schema)

    def _validate(self, job: Job, named: Mapping[str, Piece], found: Commit) -> None:
        """What the commit lists, file by file."""
        rows = read_files(job.place.store, list(found.added), arrow_schema(job.schema), job.table)
        refuse_difference(job, [named[key.removeprefix(job.path.prefix)] for key in found.added], rows)


def _path(job: Job, piece: Piece, number: int, extension: str) -> str:
    """Below the table's folder, as Spark's committer names files."""
    folder = job.path.partition_prefix(piece.day).removeprefix(job.path.prefix)
    return f"{folder}part-{number:05d}-{uuid4()}.c000.{extension}"
