"""Where the database file is: ETL_DUCKDB_PATH first, then `duckdb: {path: …}` of etl.yaml."""

from __future__ import annotations

from dataclasses import replace

from etl.config.frozen import FrozenModel
from etl.config.server_reader import ENVIRONMENT, ServerReader
from etl.config.urls import Fields


class DuckDBSettings(FrozenModel):
    """One file. Executors stage beside it, so that its folder is one that all of them see."""

    path: str


def read_server(reader: ServerReader) -> DuckDBSettings | None:
    node = reader.server("duckdb", "ETL_DUCKDB_PATH", _fields, DuckDBSettings)
    if node is None:
        return None
    path = node.get("path")
    if path is not None and path.file != ENVIRONMENT:
        # relative to its folder, like every path of etl.yaml
        node = node.child({**node.mapping, "path": replace(path, value=str(reader.config_dir / str(path.value)))})
    return reader.settings("duckdb", DuckDBSettings, node)


def _fields(path: str) -> Fields:
    return {"path": path}
