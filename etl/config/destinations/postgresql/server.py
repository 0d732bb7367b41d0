"""Where the target database is: the environment first, then etl.yaml."""

from __future__ import annotations

from etl.config.server_reader import ServerReader
from etl.config.settings import PostgreSQLSettings


def read_server(reader: ServerReader) -> PostgreSQLSettings | None:
    return reader.postgresql("postgresql", "ETL_POSTGRES_URL", "ETL_POSTGRES_CA_FILE")
