"""dlt: the tables of a PostgreSQL into one destination, merged by primary key, as its documentation has it.

`dlt_night.py DESTINATION FOLDER DATASET TABLES`, where TABLES is JSON: each table's watermark or null. FOLDER keeps the
pipeline's state from one run to the next. Rows are read by SQLAlchemy: its Arrow backend fails on JSON scalars.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import dlt
from dlt.sources.sql_database import sql_database


def main(name: str, folder: str, dataset: str, tables: str) -> None:
    watermarks: dict[str, str | None] = json.loads(tables)
    source = sql_database(
        os.environ["ETL_SOURCE_POSTGRES_URL"], schema="public", table_names=list(watermarks), backend="sqlalchemy"
    )
    strategy = "delete-insert" if name == "clickhouse" else "upsert"  # the one that dlt has for ClickHouse
    for table, watermark in watermarks.items():
        hints: dict[str, Any] = {"write_disposition": {"disposition": "merge", "strategy": strategy}}
        if name == "s3":
            hints["table_format"] = "delta"
        if watermark:
            hints["incremental"] = dlt.sources.incremental(watermark, on_cursor_value_missing="include")
        source.resources[table].apply_hints(**hints)
    pipeline = dlt.pipeline(
        f"night_{name}", pipelines_dir=folder, destination=DESTINATIONS[name](), dataset_name=dataset
    )
    pipeline.run(source).raise_on_failed_jobs()


def _postgresql() -> Any:
    return dlt.destinations.postgres(os.environ["ETL_POSTGRES_URL"])


def _clickhouse() -> Any:
    server = urlsplit(os.environ["ETL_CLICKHOUSE_URL"])
    return dlt.destinations.clickhouse(
        {
            "host": server.hostname,
            "port": int(os.environ["BENCH_CLICKHOUSE_NATIVE_PORT"]),
            "http_port": server.port,
            "username": server.username,
            "password": server.password,
            "database": server.path.strip("/"),
            "secure": 0,
        }
    )


def _s3() -> Any:
    return dlt.destinations.filesystem(
        f"s3://{os.environ['ETL_S3_BUCKET']}",
        credentials={
            "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": os.environ["ETL_S3_ENDPOINT"],
            "region_name": "us-east-1",
        },
        deltalake_storage_options={"aws_conditional_put": "etag"},
    )


DESTINATIONS: dict[str, Callable[[], Any]] = {"postgresql": _postgresql, "clickhouse": _clickhouse, "s3": _s3}

if __name__ == "__main__":
    main(*sys.argv[1:])
