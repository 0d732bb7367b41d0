"""From a table's format to what keeps it. Another writer of a format is another LakeTable, chosen here."""

from __future__ import annotations

from etl.config.destinations.s3.load_config import S3Format
from etl.load.s3.delta.table import DeltaLakeTable
from etl.load.s3.files.table import FileLakeTable
from etl.load.s3.job import Place
from etl.load.s3.table import LakeTable

_TABLES: dict[S3Format, type[LakeTable]] = {
    S3Format.DELTA: DeltaLakeTable,
    S3Format.PARQUET: FileLakeTable,
    S3Format.JSON: FileLakeTable,
}


def lake_table(place: Place) -> LakeTable:
    return _TABLES[place.config.format](place)
