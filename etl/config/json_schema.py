"""JSON Schemas of the configuration: compiled without fetching anything; what breaks them, each with its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

Path = tuple[str | int, ...]


def compiled(schema: Any) -> jsonschema_rs.Validator:
    """ValueError where it is no JSON Schema; `$ref` only within it: nothing is fetched."""
    return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=_refuse_reference)


def breaches(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[Path, str]]:
    """Where the value breaks the schema, and how."""
    for error in compiled(schema).iter_errors(value):
        yield tuple(error.instance_path), first_line(error)


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}; put what it needs into its own $defs")
