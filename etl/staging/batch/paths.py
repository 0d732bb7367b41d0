"""`payload.user.id`: where a value stands in a record."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

MISSING: Any = object()
"""What a path finds where nothing stands; None is JSON's null."""

_DOT = re.compile(r"(?<!\\)\.")
"""What parts two steps; a dot behind a backslash belongs to a key: `labels.user\\.id`."""

Getter = Callable[[dict[str, Any]], Any]


def getter(path: str) -> Getter:
    """The value at a dotted path, or MISSING. A step is a key of an object; a name with a dot in it is tried whole."""
    steps = steps_of(path)
    if len(steps) == 1:
        return lambda record: record.get(steps[0], MISSING)

    def get(record: dict[str, Any]) -> Any:
        if path in record:
            return record[path]
        value: Any = record
        for step in steps:
            if not isinstance(value, dict) or step not in value:
                return MISSING
            value = value[step]
        return value

    return get


def steps_of(path: str) -> list[str]:
    """The keys that a path names, outermost first."""
    return [step.replace("\\.", ".") for step in _DOT.split(path)]


def obstacle(record: dict[str, Any], path: str) -> Any:
    """What stands in the way of a path that finds nothing: a value that is no object; MISSING where nothing does."""
    value: Any = record
    for step in steps_of(path):
        if not isinstance(value, dict):
            return MISSING if value is None else value
        if step not in value:
            return MISSING
        value = value[step]
    return MISSING


def neighbours(record: dict[str, Any], path: str, most: int = 200) -> list[str]:
    """The keys that stand where a path was lost, as paths."""
    value: Any = record
    trodden = ""
    for step in steps_of(path):
        if not isinstance(value.get(step), dict):
            break
        value, trodden = value[step], f"{trodden}{_written(step)}."
    return [f"{trodden}{_written(key)}" for key in islice(value, most)]


def _written(key: str) -> str:
    return key.replace(".", "\\.")
