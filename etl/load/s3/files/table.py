"""A table of plain Parquet or JSON files, and the manifest that knows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import orjson
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3Format
from etl.errors import UsageError
from etl.load.s3.door import spark_door
from etl.load.s3.files.exchange import Publication, repair
from etl.load.s3.files.expiry import expire
from etl.load.s3.files.manifest import Manifest, read_load, read_manifest, write_manifest
from etl.load.s3.files.staged import stage
from etl.load.s3.job import Change, Job, Rows
from etl.load.s3.paths import partition_date_of
from etl.load.s3.table import LakeTable, Retention
from etl.load.s3.verify import refuse_difference
from etl.model import PARTITION_DATE, LoadResult
from etl.s3.store import StagedFile, StoredObject
from etl.statements.spark_values import JSON_FORMATS

_UNKNOWN = (-1, -1)
"""Size and rows of a file that another writer put there."""


@dataclass(frozen=True)
class FileLakeTable(LakeTable):
    """After `repair` the listing is the truth; the manifest says how much each file holds, and of which types."""

    @property
    def exists(self) -> bool:
        return self._manifest is not None or bool(self._objects)

    @cached_property
    def rows(self) -> Rows | None:
        return self._read([self.place.path.uri], self.schema) if self._objects else None

    def rows_on(self, days: Iterable[date]) -> Rows | None:
        uris = [self.place.path.key_uri(entry.key) for entry in self._objects_on(days)]
        return self._read(uris, self.schema) if uris else None

    def count(self) -> int:
        """From the manifest where it knows all files."""
        known = self._manifest.files if self._manifest else {}
        if all(known.get(entry.key, _UNKNOWN)[1] >= 0 for entry in self._objects):
            return sum(known[entry.key][1] for entry in self._objects)
        with spark_door("count the stored rows", self.place.table):
            return self.compare.count(self.rows) if self.rows is not None else 0

    @cached_property
    def schema(self) -> StructType | None:
        """The manifest's; of files that this loader did not write, what Spark infers."""
        if self._manifest:
            return StructType.fromJson(orjson.loads(self._manifest.schema))
        return self._read([self.place.path.uri], None).schema if self._objects else None

    def holds(self, schema: StructType) -> bool:
        return self.schema is not None and _columns(self.schema) == _columns(schema)

    def stands_as(self, job: Job) -> bool:
        manifest = self._manifest
        if manifest is None or not manifest.is_whole or manifest.digest != job.content.digest:
            return False
        return self.holds(job.schema) and manifest.lists(self._objects)

    def has_taken(self, job: Job) -> bool:
        earlier = read_load(self.place.store, self.place.path, job.run.run_id)
        return earlier is not None and earlier.digest == job.content.digest

    def published(self, run_id: str) -> LoadResult | None:
        manifest = read_load(self.place.store, self.place.path, run_id)
        if manifest is None:  # killed between the manifest and its copy under the run's name
            manifest = self._manifest if self._manifest and self._manifest.run_id == run_id else None
        return manifest.load_result() if manifest else None

    def published_by(self, token: str) -> LoadResult | None:
        manifest = self._manifest
        return manifest.load_result() if manifest and manifest.token == token else None

    def repair(self) -> None:
        repair(self.place.store, self.place.path)

    def append(self, job: Job, change: Change) -> LoadResult:
        return self._publish(job, change, [], _united(self.schema, job.schema))

    def overwrite(self, job: Job, change: Change) -> LoadResult:
        return self._publish(job, change, self._objects, job.schema)

    def replace_days(self, job: Job, change: Change, days: Collection[date]) -> LoadResult:
        return self._publish(job, change, self._objects_on(days), _united(self.schema, job.schema))

    def merge(self, job: Job, change: Change, old_days: frozenset[date]) -> LoadResult:
        raise UsageError(f"{job.table}: {job.config.format} files cannot be updated in place; use format: delta")

    def expire(self, cutoff: date, *, apply: bool) -> Retention:
        return expire(self.place, cutoff, apply=apply)

    @cached_property
    def _objects(self) -> list[StoredObject]:
        path = self.place.path
        return [entry for entry in self.place.store.objects(path.prefix) if path.is_data(entry.key)]

    @cached_property
    def _manifest(self) -> Manifest | None:
        return read_manifest(self.place.store, self.place.path)

    def _objects_on(self, days: Iterable[date]) -> list[StoredObject]:
        wanted = set(days)
        return [entry for entry in self._objects if partition_date_of(entry.key) in wanted]

    def _read(self, uris: list[str], schema: StructType | None) -> DataFrame:
        reader = self.place.spark.read.option("basePath", self.place.path.uri)
        if schema is not None:
            reader = reader.schema(schema)
        if self.place.config.format is S3Format.JSON:
            return reader.options(**JSON_FORMATS).json(uris)
        return reader.parquet(*uris)

    def _publish(self, job: Job, change: Change, replaced: Sequence[StoredObject], schema: StructType) -> LoadResult:
        """Old and new stand side by side only from `show` to `settle`."""
        files = self._stage(job, change)
        result = job.finished(change.result, sum(file.bytes for file in files))
        gone = {entry.key for entry in replaced}
        kept = self._known_files(gone)
        current = kept | {file.key: (file.bytes, file.rows) for file in files}
        manifest = job.manifest(result, schema, whole=not kept, files=current)
        if not files and not gone:
            write_manifest(self.place.store, self.place.path, manifest)
            return result
        publication = Publication(self.place.store, self.place.path, job.token, job.run.run_id)
        try:
            publication.show(files, [entry.key for entry in replaced])
            if job.run.validate and files:
                self._validate(job, change, files)
        except BaseException:
            publication.withdraw()
            raise
        publication.settle(manifest)
        return result

    def _known_files(self, gone: set[str]) -> dict[str, tuple[int, int]]:
        """The files that stay, by size and rows."""
        known = self._manifest.files if self._manifest else {}
        return {entry.key: known.get(entry.key, (entry.size, -1)) for entry in self._objects if entry.key not in gone}

    def _stage(self, job: Job, change: Change) -> list[StagedFile]:
        """Uploads the change's files, which nobody sees before they are completed."""
        return stage(job, change.frame, change.rows or 0)

    def _validate(self, job: Job, change: Change, files: list[StagedFile]) -> None:
        frame = change.frame
        standing = self._read([self.place.path.key_uri(file.key) for file in files], frame.schema)
        refuse_difference(job, frame, standing, is_whole=frame is job.frame)


def _columns(schema: StructType) -> list[tuple[str, str]]:
    return [(field.name, field.dataType.simpleString()) for field in schema]


def _united(stored: StructType | None, incoming: StructType) -> StructType:
    """The stored columns first, then what is new; `partition_date` stays last."""
    if stored is None:
        return incoming
    fields = {field.name: field for field in [*stored.fields, *incoming.fields]}
    return StructType(sorted(fields.values(), key=lambda field: field.name == PARTITION_DATE))
