"""What of a job's configuration has changed between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from etl.api.models import ConfigurationChange

_LONGEST = 2000


def changes_between(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[ConfigurationChange]:
    """By key, in the order of the alphabet; none where there was no success before."""
    if before is None:
        return []
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        ConfigurationChange(key=key, before=_shown(old, key), after=_shown(new, key))
        for key in sorted(old.keys() | new.keys())
        if _shown(old, key) != _shown(new, key)
    ]


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys; lists are values."""
    for key, each in value.items():
        if isinstance(each, dict) and each:
            yield from _flat(each, f"{path}{key}.")
        else:
            yield f"{path}{key}", each


def _shown(values: Mapping[str, Any], key: str) -> str | None:
    return orjson.dumps(values[key], option=orjson.OPT_SORT_KEYS).decode()[:_LONGEST] if key in values else None
