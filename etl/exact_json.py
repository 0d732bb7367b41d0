"""What JSON cannot hold exactly, and PostgreSQL's jsonb neither: where it stands in a value, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Path = tuple[str | int, ...]

LARGEST_INTEGER = 2**53 - 1
"""Beyond it two neighbours are the same number to most readers of JSON."""

DEEPEST = 200


def inexact(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each part that cannot be held, with its path and the reason in words; nothing where all can."""
    if len(path) > DEEPEST:
        yield path, f"is nested more than {DEEPEST} levels deep, or holds itself"
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _key(key, path)
            yield from inexact(entry, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for place, entry in enumerate(value):
            yield from inexact(entry, (*path, place))
    else:
        reason = _reason(value)
        if reason:
            yield path, reason


def as_json_path(path: Path) -> str:
    """`$.a.b[3]`; a key that is no plain name stands in brackets and quotes."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else _step(step) for step in path)


def _step(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{key!a}]"


def _key(key: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(key, str):
        yield (*path, str(key)), f"has the key {key!r}; expected keys of text"
    elif reason := _text_reason(key):
        yield (*path, key), f"has a key that {reason}"


def _reason(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _text_reason(value)
    if isinstance(value, int):
        return _integer_reason(value)
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}; expected a finite number"
    if isinstance(value, Decimal):
        return _decimal_reason(value)
    return f"is a {type(value).__name__}; expected text, number, boolean, null, list or mapping"


def _text_reason(text: str) -> str | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half a character (a lone surrogate)"
    return "holds a NUL character" if "\0" in text else None


def _integer_reason(value: int) -> str | None:
    if abs(value) <= LARGEST_INTEGER:
        return None
    return f"is a whole number beyond ±{LARGEST_INTEGER} (2^53 - 1); write it as text"


def _decimal_reason(value: Decimal) -> str | None:
    if not value.is_finite():
        return f"is {value}; expected a finite number"
    if value == value.to_integral_value():
        return _integer_reason(int(value)) if value.adjusted() < 40 else _too_long(value)
    return None if Decimal(repr(float(value))) == value else _too_long(value)


def _too_long(value: Decimal) -> str:
    return f"is {value}, which has more digits than a double; write it as text"
