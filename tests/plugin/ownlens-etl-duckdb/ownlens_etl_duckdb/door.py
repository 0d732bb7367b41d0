"""The door to the file: a connection, and its errors as ours. One process holds the file; its threads write in turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from etl.errors import ContentionError, StoreError

LOADS = "etl_loads"
"""What this file holds of each run: written in the transaction that publishes the rows, and their proof."""

_WRITING = threading.Lock()


@contextmanager
def door(path: str, step: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session that only reads, or whose statements each stand alone."""
    try:
        with duckdb.connect(path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except (duckdb.IOException, duckdb.TransactionException) as error:
        if isinstance(error, duckdb.IOException) and "lock" not in str(error):
            raise StoreError(f"DuckDB at {path}, while it was to {step}: {error}") from error
        raise ContentionError(
            f"DuckDB at {path} is held by another process, while it was to {step}: {error}"
        ) from error
    except duckdb.Error as error:
        raise StoreError(f"DuckDB at {path}, while it was to {step}: {error}") from error


@contextmanager
def transaction(path: str, step: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """All of it or nothing."""
    with _WRITING, door(path, step) as connection:
        connection.begin()
        yield connection
        connection.commit()


def require_folder(path: str) -> None:
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise StoreError(f"expected a folder for DuckDB's file, found no {folder}; create it, or set ETL_DUCKDB_PATH")
