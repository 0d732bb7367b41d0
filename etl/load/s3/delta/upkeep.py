"""What a Delta table needs between loads; each in a session of its own, as options hold for a whole session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from etl.load.s3.delta.writes import CODEC, codec_of
from etl.load.s3.door import spark_door
from etl.load.s3.frames import column
from etl.load.s3.job import Place
from etl.load.s3.table import Retention
from etl.model import PARTITION_DATE


def expire(place: Place, cutoff: date, *, exists: bool, apply: bool) -> Retention:
    """The files stay until vacuum: older versions of the table need them."""
    if not exists:
        return Retention(place.table, cutoff, (), 0, 0, 0, applied=apply)
    table = _opened(place, {})
    expired = column(PARTITION_DATE) < F.lit(cutoff)
    with spark_door("find expired days", place.table):
        found = table.toDF().where(expired).groupBy(column(PARTITION_DATE)).count().collect()
        if apply and found:
            table.delete(expired)
    days = tuple(sorted(row[PARTITION_DATE] for row in found))
    return Retention(place.table, cutoff, days, sum(row["count"] for row in found), 0, 0, applied=apply)


def optimize(place: Place) -> int:
    """Joins small files up to `target_file_size_mb`."""
    target_bytes = place.config.target_file_size_mb * 1024 * 1024
    options = {
        "spark.databricks.delta.optimize.maxFileSize": str(target_bytes),
        "spark.databricks.delta.optimize.minFileSize": str(target_bytes // 2),
    }
    with spark_door("optimize the Delta table", place.table):
        metrics = _opened(place, options).optimize().executeCompaction().select("metrics.numFilesRemoved").head()
    return int(metrics[0]) if metrics else 0


def vacuum(place: Place, hours: int) -> None:
    table = _opened(place, {"spark.databricks.delta.retentionDurationCheck.enabled": "false"})
    with spark_door("vacuum the Delta table", place.table):
        table.vacuum(hours)


def _opened(place: Place, options: Mapping[str, str]) -> DeltaTable:
    session = place.spark.newSession()
    always = {"spark.sql.session.timeZone": "UTC", CODEC: codec_of(place.config)}
    for name, value in {**options, **always}.items():
        session.conf.set(name, value)
    return DeltaTable.forPath(session, place.path.uri)
