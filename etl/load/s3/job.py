"""Where a table of the lake stands, and one load on its way into it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.load.base import LoaderConfig
from etl.load.s3.files.manifest import Manifest, now, result_to
from etl.load.s3.frames import Content
from etl.load.s3.paths import TablePath
from etl.load.vanished import refuse_too_many_vanished
from etl.model import Checksums, Destination, LoadResult
from etl.s3.store import ObjectStore, StoreAddress

Rows = Any
"""A Spark frame or, of a small table, an Arrow table in the driver; comparison.py says what is asked of both."""


@dataclass(frozen=True)
class Place:
    """One table's entry and path, and by what both are reached."""

    spark: SparkSession
    store: ObjectStore
    address: StoreAddress
    path: TablePath
    config: S3TableLoadConfig

    @classmethod
    def of(cls, spark: SparkSession, settings: S3Settings, config: S3TableLoadConfig) -> Place:
        address = StoreAddress.of(settings)
        return cls(spark, ObjectStore(address), address, TablePath.of(settings, config), config)

    @property
    def table(self) -> str:
        return self.config.table_name


@dataclass(frozen=True)
class Job:
    """`frame` (of Spark's `schema`) fits the target and holds `content`; `rows_rejected` rows of the incoming frame did
    not and are gone.

    `token` is unique for this call of `load`, over all its retries.
    """

    place: Place
    run: LoaderConfig
    token: str
    started: float
    frame: Rows
    schema: StructType
    content: Content
    checksums: Checksums | None = None
    rows_rejected: int = 0
    deleted: Rows | None = None
    """Keys that the source calls deleted, beside the frame's rows."""

    @property
    def config(self) -> S3TableLoadConfig:
        return self.place.config

    @property
    def path(self) -> TablePath:
        return self.place.path

    @property
    def table(self) -> str:
        return self.place.table

    def result(
        self, *, inserted: int = 0, updated: int = 0, unchanged: int = 0, skipped: int = 0, deleted: int = 0,
        skipped_reason: str = "",
    ) -> LoadResult:  # fmt: skip
        """What a load amounts to; what it wrote is known once it is written (`finished`)."""
        return LoadResult(
            table_name=self.table,
            destination=Destination.S3,
            target=self.path.uri,
            mode=self.config.mode,
            rows_in=self.content.rows + self.rows_rejected,
            rows_inserted=inserted,
            rows_updated=updated,
            rows_unchanged=unchanged,
            rows_skipped=skipped,
            rows_rejected=self.rows_rejected,
            rows_deleted=deleted,
            seconds=self._seconds(),
            skipped_reason=skipped_reason,
        )

    def finished(self, result: LoadResult, bytes_written: int) -> LoadResult:
        return replace(result, bytes_written=bytes_written, seconds=self._seconds())

    def refuse_too_many_vanished(self, stored: int, matched: int) -> None:
        """Of a target without a key only the number of rows can tell."""
        vanished = stored - matched if self.config.key else stored - self.content.rows
        refuse_too_many_vanished(self.config, max(vanished, 0), stored, self.path.uri)

    def manifest(
        self, result: LoadResult, schema: StructType, *, whole: bool, files: dict[str, tuple[int, int]],
        version: int | None = None,
    ) -> Manifest:  # fmt: skip
        """`whole`: this load's rows are all that stands in the target."""
        return Manifest(
            token=self.token,
            run_id=self.run.run_id,
            table=self.table,
            format=str(self.config.format),
            written_at=now(),
            schema=schema.json(),
            result=result_to(result),
            digest=self.content.digest,
            is_whole=whole,
            checksums=dict(self.checksums.columns) if self.checksums else {},
            files=files,
            version=version,
        )

    def _seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)


@dataclass(frozen=True)
class Change:
    """What a load brings into a table, and what that amounts to; how many rows a merge writes nobody can tell. A merge
    lets go of those that are `leaving`."""

    frame: Rows
    rows: int | None
    result: LoadResult
    leaving: Rows | None = None
