"""What of a job's configuration has changed between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from etl.api.models import ConfigurationChange
from etl.staging.ledger.parameters import FILES_READ

_LONGEST = 2000
_UNTOLD = {"source.query"}
"""Whether it has changed is shown, not what it is."""


def changes_between(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[ConfigurationChange]:
    """By key, in the order of the alphabet; none where there was no success before."""
    if before is None:
        return []
    old, new = _texts(_configured(before)), _texts(_configured(after))
    return [
        ConfigurationChange(key=key, before=_shown(key, old.get(key)), after=_shown(key, new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _configured(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameters.items() if key != FILES_READ}


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys; lists are values."""
    for key, each in value.items():
        if isinstance(each, dict) and each:
            yield from _flat(each, f"{path}{key}.")
        else:
            yield f"{path}{key}", each


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Whole, since two long values may differ at their ends."""
    return {key: orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() for key, value in _flat(values)}


def _shown(key: str, text: str | None) -> str | None:
    if text is None or key not in _UNTOLD:
        return text and text[:_LONGEST]
    return '"changed"'
