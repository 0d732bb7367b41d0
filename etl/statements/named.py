"""Statements that stand in .sql files under sql/, each found by its name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from etl.project import SQL_DIR

POSTGRESQL_DIRECTORY = SQL_DIR / "postgresql"

_NAME = re.compile(r"^-- name: (\w+)[ \t]*\n", re.MULTILINE)


@cache
def named_statements(directory: Path) -> dict[str, str]:
    """All statements of the directory's .sql files; each starts at `-- name: …` and ends at the next one."""
    statements: dict[str, str] = {}
    for file in sorted(directory.glob("*.sql")):
        for name, text in parse_statements(file.read_text(encoding="utf-8")):
            if name in statements:
                raise ValueError(f"{file}: the statement {name!r} is named twice; give one another name")
            statements[name] = text
    return statements


def parse_statements(text: str) -> list[tuple[str, str]]:
    """(name, SQL) in the order of the text; what stands before the first name is the file's own comment."""
    _preface, *parts = _NAME.split(text)
    return [(name, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)]
