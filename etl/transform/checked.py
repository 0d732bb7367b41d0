"""Remembers which tables' expressions were found valid, so that a start asks Spark only of those that have changed.

One line a table, its digest: of what the entry says, of the columns it stands on, of Spark's version and of this room's
code. The file may be deleted at any time; where it cannot be read or written, everything is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import pyspark

from etl.config.tables.models import TableConfig
from etl.model import TableDefinition
from etl.project import ivy_dir

_ROOM = Path(__file__).parent


def checked_before() -> frozenset[str]:
    try:
        return frozenset(_file().read_text().split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def remember(digests: Iterable[str]) -> None:
    """In the place of what was remembered before."""
    file = _file()
    with suppress(OSError), NamedTemporaryFile("w", dir=file.parent, prefix=file.name, delete=False) as written:
        try:
            written.write("\n".join(sorted(digests)))
            written.close()
            Path(written.name).chmod(0o644)
            Path(written.name).replace(file)
        except OSError:
            Path(written.name).unlink()


def digest(table: TableConfig, definition: TableDefinition) -> str:
    facts = [
        pyspark.__version__,
        _code(),
        table.model_dump(mode="json", include={"name", "domain", "key", "date_column", "source", "transform"}),
        [(column.name, column.type, column.nullable) for column in definition.columns],
        [definition.primary_key, definition.unique_keys],
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> list[tuple[str, int, int]]:
    """Of each module its size and when it was written."""
    stats = [(file, file.stat()) for file in sorted(_ROOM.rglob("*.py"))]
    return [(str(file.relative_to(_ROOM)), stat.st_size, stat.st_mtime_ns) for file, stat in stats]


def _file() -> Path:
    return ivy_dir() / "checked-expressions.txt"
