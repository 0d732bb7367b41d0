"""What every part of the uploader stands on, in one place to import from: names as SQL, the statements of a batch, the
pool, types and checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

from etl.arrow.types import postgresql_type
from etl.ingestion.database.connection import create_pool
from etl.statements.uploader.merging import create_temp_table_sql, quote_identifier, quote_table, upsert_sql

__all__ = [
    "create_pool",
    "create_temp_table_sql",
    "postgresql_type",
    "quote_identifier",
    "quote_table",
    "sha256_of",
    "upsert_sql",
]


def sha256_of(path: Path) -> str:
    """Of the file's bytes as they lie on disk, in hex; reads it once, a buffer at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
