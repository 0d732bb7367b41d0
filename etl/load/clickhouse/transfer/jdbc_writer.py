"""Spark's own JDBC writer with clickhouse-jdbc: into a raw table, then cast by the server into the typed staging table.

For those who want nothing but Spark on the executors. A task's second attempt sends its rows again; they are told apart
by their position in the frame and taken once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.functions import expr, monotonically_increasing_id

from etl.clickhouse.connections import CONNECT_SECONDS
from etl.clickhouse.door import server_error
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.urls import bracketed
from etl.errors import ConnectionLostError, StoreError
from etl.load.base import LoadFacts
from etl.load.clickhouse.job import Job, Staged
from etl.load.clickhouse.transfer.run_table import count_staged, refusal_error, writer_config
from etl.spark.causes import in_words, kind_of, last_cause
from etl.statements.clickhouse.raw import ROW, RawColumn, check_raw, insert_typed, raw_columns, raw_shape
from etl.statements.clickhouse.tables import create_table, staging_shape
from etl.statements.quoting import clickhouse_name

_BATCH_ROWS, _BATCH_BYTES = 100_000, 16 << 20
"""Whichever comes first: the driver keeps a batch in the JVM's memory, as text."""
_CODE = re.compile(r"Code: (\d+)")


def stage_jdbc(df: DataFrame, job: Job, settings: ClickHouseSettings, facts: LoadFacts | None) -> Staged:
    columns = raw_columns(job.plan.columns)
    raw, typed = job.names.raw, job.names.attempt(0, 0)
    job.door.execute(create_table(job.database, raw, raw_shape(columns)))
    with _jdbc_errors(settings):
        _write(df, columns, clickhouse_name(job.database, raw), settings, batch_rows(facts))
    rows = _check(job, raw, columns, settings)
    if not rows:
        return Staged("", 0, 0, {})
    job.door.execute(create_table(job.database, typed, staging_shape(job.plan.shape, job.run_number)))
    job.door.execute(insert_typed(job.database, typed, raw, columns))
    [[sent_bytes]] = job.door.query(
        "SELECT ifNull(total_bytes, 0) FROM system.tables WHERE database = {database:String} AND name = {table:String}",
        parameters={"database": job.database, "table": raw},
    )
    return count_staged(job, typed, rows, sent_bytes)


def batch_rows(facts: LoadFacts | None) -> int:
    """By what the frame's rows weigh on average."""
    if facts is None or not facts.bytes:
        return _BATCH_ROWS
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES * facts.rows // facts.bytes))


def _write(
    df: DataFrame, columns: Sequence[RawColumn], table: str, settings: ClickHouseSettings, rows_at_once: int
) -> None:
    sent = df.select(
        monotonically_increasing_id().alias(ROW), *(expr(column.spark).alias(column.raw_name) for column in columns)
    )
    options = {
        "url": jdbc_url(settings),
        "dbtable": table,
        "driver": "com.clickhouse.jdbc.ClickHouseDriver",
        "user": settings.user,
        "password": settings.password.get_secret_value(),
        "isolationLevel": "NONE",
        "batchsize": str(rows_at_once),
    }
    sent.write.format("jdbc").options(**options).mode("append").save()


def jdbc_url(settings: ClickHouseSettings) -> str:
    """Without user and password: those go into the driver's properties."""
    properties = {
        "clickhouse_setting_async_insert": "0",
        # milliseconds; its own default is to wait for ever
        "connection_timeout": str(CONNECT_SECONDS * 1000),
        "socket_timeout": str(settings.timeout_seconds * 1000),
    }
    if settings.secure:
        if not settings.verify:
            raise StoreError(
                "writer jdbc cannot skip the check of ClickHouse's certificate; name its authority (ca_file) or use "
                "writer arrow",
                destination="clickhouse",
            )
        properties["ssl"] = "true"
        if settings.ca_file:
            properties["sslrootcert"] = settings.ca_file
    scheme = "jdbc:ch:https" if settings.secure else "jdbc:ch:http"
    return f"{scheme}://{bracketed(settings.host)}:{settings.port}/{settings.database}?{urlencode(properties)}"


def _check(job: Job, raw: str, columns: Sequence[RawColumn], settings: ClickHouseSettings) -> int:
    """How many rows were sent, each counted once; refuses what the target cannot hold."""
    [[_, rows, *counts]] = job.door.query(check_raw(job.database, raw, columns))
    rules = writer_config(job, settings)
    refused: dict[tuple[str, str], int] = {}
    for column, nulls, outside in zip(columns, counts[::2], counts[1::2], strict=True):
        is_array = column.typed.startswith("arrayMap")
        if nulls and column.name in rules.required:
            refused[column.name, "null"] = nulls
        if nulls and is_array and rules.whole_arrays:
            refused[column.name, "null_array"] = nulls
        if outside:
            refused[column.name, "range"] = outside
    if refused:
        raise refusal_error(job, refused)
    return int(rows)


@contextmanager
def _jdbc_errors(settings: ClickHouseSettings) -> Iterator[None]:
    """The driver's errors come through Spark as text; the server's code in it says what they mean."""
    try:
        yield
    except (Py4JError, PySparkException) as error:
        text = str(error)
        said = in_words(text)
        if code := _CODE.search(text):
            raise server_error(code[1], said, settings, "Spark's JDBC write") from error
        if kind_of(text, last_cause(text)) is ConnectionLostError:
            raise ConnectionLostError(
                f"expected an answer from ClickHouse at {settings.address}, found: {said}", destination="clickhouse"
            ) from error
        raise StoreError(
            f"Spark's JDBC writer could not write to ClickHouse at {settings.address}: {said}",
            statement="Spark's JDBC write",
            destination="clickhouse",
        ) from error
