"""A small table of plain Parquet files, staged and exchanged as any other (files/exchange.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa

from etl.load.s3.driver.data_files import encoded, read_files, refuse_difference
from etl.load.s3.driver.frames import Piece, arrow_schema, pieces_of
from etl.load.s3.driver.table import DriverTable, with_day
from etl.load.s3.files.formats import file_format
from etl.load.s3.files.multipart import UploadFile
from etl.load.s3.files.table import FileLakeTable
from etl.load.s3.job import Change, Job
from etl.load.s3.paths import file_name, partition_date_of, run_hash
from etl.s3.store import StagedFile, StoredObject, client_of


@dataclass(frozen=True)
class DriverFileTable(DriverTable, FileLakeTable):
    """The manifest says of which types the files are; those of another writer are Spark's to read."""

    @cached_property
    def rows(self) -> pa.Table | None:
        return self._read_objects(self._objects)

    def rows_on(self, days: Iterable[date]) -> pa.Table | None:
        return self._read_objects(self._objects_on(days))

    @property
    def refusal(self) -> str:
        if self._objects and self._manifest is None:
            return "its files are another writer's"
        return self.too_large(len(self._objects), sum(entry.size for entry in self._objects))

    def _read_objects(self, objects: Sequence[StoredObject]) -> pa.Table | None:
        schema = self.schema
        if not objects or schema is None:
            return None
        keys = [entry.key for entry in objects]
        found = read_files(self.place.store, keys, arrow_schema(schema), self.place.table)
        rows = [with_day(self.place, each, partition_date_of(key)) for key, each in zip(keys, found, strict=True)]
        return pa.concat_tables(rows).combine_chunks()

    def _stage(self, job: Job, change: Change) -> list[StagedFile]:
        form = file_format(job.config, job.schema)
        staged: list[StagedFile] = []
        try:
            for number, piece in enumerate(_pieces(job, change.frame)):
                name = file_name(0, run_hash(job.run.run_id), 0, number, form.extension)
                client, bucket = client_of(job.place.address), job.place.address.bucket
                upload = UploadFile(client, bucket, f"{job.path.partition_prefix(piece.day)}{name}")
                upload.write(encoded(piece, form))
                staged.append(upload.stage(piece.rows.num_rows))
        except BaseException:
            job.place.store.abort((file.key, file.upload_id) for file in staged)
            raise
        return staged

    def _validate(self, job: Job, change: Change, files: list[StagedFile]) -> None:
        rows = read_files(job.place.store, [file.key for file in files], arrow_schema(job.schema), job.table)
        refuse_difference(job, _pieces(job, change.frame), rows)


def _pieces(job: Job, rows: pa.Table) -> list[Piece]:
    """A table without rows and days is a file all the same, which says its columns."""
    partitioned = bool(job.config.partition_by)
    return pieces_of(rows, partitioned=partitioned) or ([] if partitioned else [Piece(None, rows)])
