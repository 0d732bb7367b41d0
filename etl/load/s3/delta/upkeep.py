"""What a Delta table needs between loads; each in a session of its own, as options hold for a whole session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from urllib.parse import unquote, urlsplit

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from etl.load.s3.delta.writes import CODEC, codec_of
from etl.load.s3.door import spark_door
from etl.load.s3.frames import column
from etl.load.s3.job import Place
from etl.load.s3.paths import partition_date_of
from etl.load.s3.table import Retention
from etl.model import PARTITION_DATE

SMALL = 2
"""A file of less than half the wanted size is joined with others."""


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


def files_to_join(place: Place) -> int:
    """As Delta counts: of each day the small ones, the smallest first, as many to a new file as it has room for."""
    with spark_door("list the files of the Delta table", place.table):
        current = {unquote(urlsplit(uri).path) for uri in _opened(place, {}).toDF().inputFiles()}
    small: dict[date | None, list[int]] = {}
    for entry in place.store.objects(place.path.prefix):
        if f"/{entry.key}" in current and entry.size < _target_bytes(place) // SMALL:
            small.setdefault(partition_date_of(entry.key), []).append(entry.size)
    return sum(_joined(sizes, _target_bytes(place)) for sizes in small.values())


def _joined(sizes: list[int], target_bytes: int) -> int:
    """How many of these files become part of a larger one."""
    joined = together = filled = 0
    for size in sorted(sizes):
        if together and filled + size > target_bytes:
            together = filled = 0
        together, filled = together + 1, filled + size
        joined += 2 if together == 2 else together > 2
    return joined


def _target_bytes(place: Place) -> int:
    return place.config.target_file_size_mb * 1024 * 1024


def optimize(place: Place) -> int:
    """Joins small files up to `target_file_size_mb`."""
    target_bytes = _target_bytes(place)
    options = {
        "spark.databricks.delta.optimize.maxFileSize": str(target_bytes),
        "spark.databricks.delta.optimize.minFileSize": str(target_bytes // SMALL),
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
