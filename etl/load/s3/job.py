"""One load on its way: what the steps of both table kinds share."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.base import LoaderConfig
from etl.load.s3.files.manifest import Manifest, now, result_to
from etl.load.s3.frames import Content
from etl.load.s3.paths import TablePath
from etl.load.s3.store import ObjectStore, StoreAddress
from etl.load.vanished import refuse_too_many_vanished
from etl.model import Checksums, Destination, LoadResult


@dataclass(frozen=True)
class Job:
    """`frame` fits the target and holds `content`; `rows_rejected` rows of the incoming frame did not and are gone.

    `token` is unique for this call of `load`, over all its retries.
    """

    spark: SparkSession
    store: ObjectStore
    address: StoreAddress
    path: TablePath
    run: LoaderConfig
    config: S3TableLoadConfig
    token: str
    started: float
    frame: DataFrame
    content: Content
    checksums: Checksums | None = None
    rows_rejected: int = 0

    @property
    def table(self) -> str:
        return self.config.table_name

    def result(
        self, *, inserted: int = 0, updated: int = 0, unchanged: int = 0, skipped: int = 0, deleted: int = 0,
        bytes_written: int = 0, skipped_reason: str = "",
    ) -> LoadResult:  # fmt: skip
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
            bytes_written=bytes_written,
            seconds=round(time.monotonic() - self.started, 3),
            skipped_reason=skipped_reason,
        )

    def refuse_too_many_vanished(self, stored: int, matched: int) -> None:
        """Of a target without a key only the number of rows can tell."""
        vanished = stored - matched if self.config.key else stored - self.content.rows
        refuse_too_many_vanished(self.config, max(vanished, 0), stored, self.path.uri)

    def manifest(
        self, result: LoadResult, schema: StructType, *, whole: bool, files: dict[str, tuple[int, int]]
    ) -> Manifest:
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
        )
