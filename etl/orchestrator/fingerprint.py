"""The same parameters have the same fingerprint, however they are written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

import rfc8785

from etl.errors import UsageError
from etl.exact_json import as_json_path, inexact

_TOLD = 5


def fingerprint(parameters: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, over RFC 8785's canonical JSON: the order of keys and `1` or `1.0` make no difference.

    UsageError where JSON cannot hold a value exactly, with its path. A Decimal is the number that it is.
    """
    if not isinstance(parameters, Mapping):
        raise UsageError(f"parameters: expected a mapping of names to values; found {type(parameters).__name__}")
    faults = [f"{as_json_path(path)} {reason}" for path, reason in inexact(parameters)]
    if faults:
        more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise UsageError(f"parameters that JSON cannot hold exactly: {'; '.join(faults[:_TOLD])}{more}")
    return sha256(rfc8785.dumps(_plain(parameters))).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return float(value) if isinstance(value, Decimal) else value
