"""A batch's payload through COPY."""

from __future__ import annotations

from etl.errors import ReconciliationError
from etl.ingestion.database.connection import Connection
from etl.ingestion.model import Batch, BinaryBytes, Records


async def copy_batch(
    connection: Connection, batch: Batch, table: str, columns: list[str], schema: str | None = None
) -> int:
    """How many rows PostgreSQL took; ReconciliationError where the reader counted others."""
    payload = batch.payload
    if isinstance(payload, Records):
        status = await connection.copy_records_to_table(
            table, records=payload.rows, columns=columns, schema_name=schema
        )
    elif isinstance(payload, BinaryBytes):
        status = await connection.copy_to_table(
            table, source=memoryview(payload.data), columns=columns, schema_name=schema, format="binary"
        )
    else:
        status = await connection.copy_to_table(
            table,
            source=memoryview(payload.data),
            columns=columns,
            schema_name=schema,
            format="csv",
            delimiter=payload.delimiter,
            quote=payload.quotechar,
            null=payload.null,
            encoding="UTF8",
        )
    rows = int(status.split()[-1])
    if batch.rows is not None and rows != batch.rows:
        raise ReconciliationError(
            f"batch {batch.index}: {batch.rows} rows were read, COPY took {rows}; nothing of it was stored. This is a "
            "fault of the uploader: keep the file and report it"
        )
    return rows
