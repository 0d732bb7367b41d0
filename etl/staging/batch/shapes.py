"""JSON Schema, compiled once; jsonschema-rs checks a record several times faster than a pure Python library."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

MAXIMUM_ERRORS = 20


@dataclass(frozen=True)
class ShapeError:
    steps: list[str | int]
    message: str
    value: Any

    @property
    def path(self) -> str:
        return ".".join(map(str, self.steps)) or "."


class Shape:
    """Raises ValueError where the schema itself is none, or refers to another document: nothing is fetched."""

    def __init__(self, schema: dict[str, Any]) -> None:
        try:
            self._validator = jsonschema_rs.validator_for(schema, validate_formats=True, retriever=_refuse)
        except Exception as error:
            raise ValueError(f"not a JSON Schema: {str(error).splitlines()[0]}") from error

    def is_valid(self, record: dict[str, Any]) -> bool:
        return bool(self._validator.is_valid(record))

    def errors(self, record: dict[str, Any]) -> list[ShapeError]:
        """The first of them; a record broken throughout would fill the table with its faults."""
        try:
            found = list(islice(self._validator.iter_errors(record), MAXIMUM_ERRORS))
        except ValueError:  # of a record nested over 255 deep the library says that it breaks the schema, and not where
            return [ShapeError([], "breaks the shape; it is nested too deeply to say where", None)]
        return [ShapeError(each.instance_path, _short(each.message), each.instance) for each in found]


def _short(message: str, longest: int = 300) -> str:
    return message if len(message) <= longest else message[:longest] + "…"


def _refuse(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}; put what it needs into its own $defs")
