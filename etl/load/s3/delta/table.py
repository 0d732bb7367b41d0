"""A Delta table: published by one commit, which readers see whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial

import structlog
from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, StructType

from etl.config.tables.modes import deletes_vanished
from etl.load.s3.comparison import LARGE, Extent
from etl.load.s3.delta import log as delta_log
from etl.load.s3.delta import upkeep, writes
from etl.load.s3.delta.commit import Write, commit
from etl.load.s3.delta.log import Commit, TableSize
from etl.load.s3.door import spark_door
from etl.load.s3.files.manifest import read_manifest
from etl.load.s3.job import Change, Job, Rows
from etl.load.s3.schema import Fitted, differences
from etl.load.s3.table import LakeTable, Retention
from etl.load.s3.verify import not_as_loaded, refuse_difference
from etl.load.s3.widening import with_types
from etl.model import LoadResult

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DeltaLakeTable(LakeTable):
    """`types` are wider ones that stored rows are read with, as an overwrite is about to bring them."""

    types: Mapping[str, DataType] = field(default_factory=dict)

    @cached_property
    def exists(self) -> bool:
        return delta_log.has_commits(self.place.store, self.place.path)

    @cached_property
    def rows(self) -> Rows | None:
        if not self.exists:
            return None
        return with_types(self.place.spark.read.format("delta").load(self.place.path.uri), self.types)

    def rows_on(self, days: Iterable[date]) -> Rows | None:
        return None if self.rows is None else self.compare.on_days(self.rows, days)

    def count(self) -> int:
        with spark_door("count the stored rows", self.place.table):
            return self.compare.count(self.rows) if self.rows is not None else 0

    @property
    def schema(self) -> StructType | None:
        return self.rows.schema if self.rows is not None else None

    def extent(self, incoming_rows: int) -> Extent:
        size = self._size
        return Extent(incoming_rows, size.files, size.bytes) if size else LARGE

    def holds(self, schema: StructType) -> bool:
        return self.schema is not None and not self._evolves(schema)

    def stands_as(self, job: Job) -> bool:
        """The table's latest commit is one that left exactly these rows."""
        manifest = read_manifest(self.place.store, self.place.path) if self.holds(job.schema) else None
        if manifest is None or not manifest.is_whole or manifest.digest != job.content.digest:
            return False
        return next(iter(self._versions), None) == manifest.version

    def has_taken(self, job: Job) -> bool:
        return any(earlier.digest == job.content.digest for earlier in self._commits_of(job))

    def published(self, run_id: str) -> LoadResult | None:
        found = delta_log.commits_of_run(self.place.store, self.place.path, run_id)
        return found[0].load_result() if found else None

    def published_by(self, token: str) -> LoadResult | None:
        found = delta_log.commit_of_token(self.place.store, self.place.path, token)
        return found.load_result() if found else None

    def fitted(self, fitted: Fitted) -> DeltaLakeTable:
        """An overwrite brings wider types with its rows; before other loads the table is written anew."""
        if not fitted.widened or self.rows is None:
            return self
        if deletes_vanished(self.place.config):
            return replace(self, types=fitted.widened)
        writes.widen(self.place, self.rows, fitted.widened)
        uri = self.place.path.uri
        log.info("types widened", table=self.place.table, target=uri, columns=list(fitted.widened))
        return replace(self)

    def append(self, job: Job, change: Change) -> LoadResult:
        write = partial(writes.append, job, change, evolve=self._evolves(job.schema))
        return self._commit(job, change, write, whole=not self.exists)

    def overwrite(self, job: Job, change: Change) -> LoadResult:
        return self._commit(job, change, partial(writes.overwrite, job, change), whole=True)

    def replace_days(self, job: Job, change: Change, days: Collection[date]) -> LoadResult:
        if not self.exists:
            return self.append(job, change)
        write = partial(writes.replace_days, job, change, days, evolve=self._evolves(job.schema))
        return self._commit(job, change, write)

    def merge(self, job: Job, change: Change, old_days: frozenset[date]) -> LoadResult:
        write = partial(writes.merge, job, change, old_days, evolve=self._evolves(job.schema))
        return self._commit(job, change, write)

    def expire(self, cutoff: date, *, apply: bool) -> Retention:
        return upkeep.expire(self.place, cutoff, exists=self.exists, apply=apply)

    def files_to_join(self) -> int:
        return upkeep.files_to_join(self.place) if self.exists else 0

    def optimize(self) -> int:
        return upkeep.optimize(self.place) if self.exists else 0

    def vacuum(self, hours: int) -> None:
        if self.exists:
            upkeep.vacuum(self.place, hours)

    @cached_property
    def _versions(self) -> dict[int, str]:
        return delta_log.versions(self.place.store, self.place.path) if self.exists else {}

    @cached_property
    def _size(self) -> TableSize | None:
        latest = next(iter(self._versions), None)
        return None if latest is None else delta_log.size_of_version(self.place.store, self.place.path, latest)

    @cached_property
    def _commits(self) -> list[Commit]:
        return delta_log.commits(self.place.store, self.place.path, self._versions)

    def _commits_of(self, job: Job) -> list[Commit]:
        return [each for each in self._commits if each.run_id == job.run.run_id]

    def _evolves(self, schema: StructType) -> bool:
        """Whether such rows have columns that the table lacks, or lack some, or bring wider types."""
        return self.schema is not None and (bool(self.types) or differences(schema, self.schema).renames_columns)

    def _commit(self, job: Job, change: Change, write: Write, *, whole: bool = False) -> LoadResult:
        """Above the run's own earlier transactions: Delta passes over one it knows without a word."""
        version = max((earlier.transaction or 0 for earlier in self._commits_of(job)), default=0) + 1
        validate = partial(_validate, job, change)
        return commit(job, change, write, validate, version=version, rows=change.rows, whole=whole)


def _validate(job: Job, change: Change, found: Commit) -> None:
    """Reads the files that this commit added; after a merge they hold copies of other rows too."""
    frame = change.frame
    if change.leaving is not None:
        _require_gone(job, change.result.rows_deleted, found)
    standing = _added_rows(job, frame, found)
    if change.rows is None:
        keys = frame.select(*job.config.key)
        conditions = [standing[name].eqNullSafe(keys[name]) for name in job.config.key]
        standing = standing.join(keys, conditions, "left_semi")
    refuse_difference(job, frame, standing, is_whole=frame is job.frame)


def _require_gone(job: Job, rows: int, found: Commit) -> None:
    """By the commit's own count."""
    deleted = int(found.metrics.get("numTargetRowsDeleted", rows))
    if deleted != rows:
        raise not_as_loaded(job, [f"expected {rows} rows to go that the source calls deleted, found {deleted}"])


def _added_rows(job: Job, frame: DataFrame, found: Commit) -> DataFrame:
    reader = job.place.spark.read
    if found.has_deletion_vectors:
        # which of a file's rows are deleted, Delta alone tells
        return reader.format("delta").option("versionAsOf", found.version).load(job.path.uri)
    files = [job.path.key_uri(key) for key in found.added]
    return reader.schema(frame.schema).option("basePath", job.path.uri).parquet(*files)
