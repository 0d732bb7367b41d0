"""A table's TTL: how it is set, how the server writes it, and which rows are past it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl.statements.quoting import clickhouse_literal, clickhouse_name

_TEXT = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`")
_MERGES_ROWS = re.compile(r"\bGROUP\s+BY\b", re.IGNORECASE)
_KEEPS_ROWS = re.compile(r"\b(TO\s+(DISK|VOLUME)|RECOMPRESS)\b", re.IGNORECASE)
_RULE = re.compile(r"(?P<at>.*?)(?:\s+DELETE)?(?:\s+WHERE\s+(?P<only>.*))?\s*", re.IGNORECASE | re.DOTALL)


def modify_ttl(database: str, table: str, ttl: str) -> str:
    """Rows past it go at once (`materialize_ttl_after_modify`); empty: no row goes any more."""
    return f"ALTER TABLE {clickhouse_name(database, table)} {f'MODIFY TTL {ttl}' if ttl else 'REMOVE TTL'}"


def format_ttl(ttl: str) -> str:
    """One value: the TTL as the server would keep it; nothing is created."""
    statement = clickhouse_literal(f"CREATE TABLE t (c Int8) ENGINE = MergeTree ORDER BY c TTL {ttl}")
    return f"WITH formatQuerySingleLine({statement}) AS whole SELECT substr(whole, position(whole, ' TTL ') + 5)"


def expired(ttl: str, at: str = "now()") -> str | None:
    """The condition of rows whose time has come; empty where none ever goes, None where only the server can tell, as it
    merges rows to groups."""
    words = _TEXT.sub(lambda text: "_" * len(text[0]), ttl)
    if _MERGES_ROWS.search(words):
        return None
    rules = [_condition(ttl[begin:end], words[begin:end], at) for begin, end in _rules(words)]
    return " OR ".join(filter(None, rules))


def _rules(words: str) -> Iterator[tuple[int, int]]:
    """Where each begins and ends: commas part them, but for those within brackets."""
    begin, depth = 0, 0
    for place, sign in enumerate(words):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            yield begin, place
            begin = place + 1
    yield begin, len(words)


def _condition(rule: str, words: str, at: str) -> str:
    parts = _RULE.fullmatch(words)
    if parts is None or not words.strip() or _KEEPS_ROWS.search(words):
        return ""
    time, (begin, end) = rule[: parts.end("at")].strip(), parts.span("only")
    only = f" AND ({rule[begin:end]})" if begin >= 0 else ""
    return f"ifNull(({time}) <= {at}{only}, false)"


def delete_expired(database: str, table: str, condition: str) -> str:
    """Rows that the target's TTL would drop at its next merge."""
    return f"DELETE FROM {clickhouse_name(database, table)} WHERE {condition}"


def count_expired(database: str, table: str, condition: str, *, final: bool = False, where: str = "true") -> str:
    source = f"{clickhouse_name(database, table)}{' FINAL' if final else ''}"
    return f"SELECT countIf({condition}) FROM {source} WHERE {where}"
