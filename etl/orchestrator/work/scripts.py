"""A script of SQL, a statement at a time."""

from __future__ import annotations

from pathlib import Path

import sqlglot
from sqlglot.errors import TokenError

from etl.errors import UsageError

_OWN_TRANSACTIONS = ("BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE TRANSACTION")


def read_script(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected a file of SQL in UTF-8, found: {error}") from error


def statements_of(script: str, dialect: str) -> list[str]:
    """Cut at semicolons that stand in no literal, name or comment; `dialect` is sqlglot's name of the store's."""
    try:
        tokens = sqlglot.tokenize(script, read=dialect)
    except TokenError as error:
        raise UsageError(f"expected SQL, found what cannot be read: {error}") from error
    statements, begin, is_empty = [], 0, True
    for token in tokens:
        if token.token_type is sqlglot.TokenType.SEMICOLON:
            if not is_empty:
                statements.append(script[begin : token.start].strip())
            begin, is_empty = token.end + 1, True
        else:
            is_empty = False
    return statements if is_empty else [*statements, script[begin:].strip()]


def refuse_transactions(statements: list[str]) -> None:
    """The script is one transaction, at whose end it is asked whether the attempt still holds."""
    for statement in statements:
        words = _first_words(statement)
        if any(words == begin or words.startswith(f"{begin} ") for begin in _OWN_TRANSACTIONS):
            raise UsageError(f"expected statements of one transaction, found {words!r}: the worker begins and ends it")


def makes_a_temporary_table(statement: str) -> bool:
    return _first_words(statement) in ("CREATE TEMPORARY", "CREATE TEMP")


def _first_words(statement: str) -> str:
    """Of PostgreSQL, without comments."""
    return " ".join(token.text.upper() for token in sqlglot.tokenize(statement, read="postgres")[:2])
