"""The `shape` of a staging job: a JSON Schema, inline or in a file, checked where it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etl.config.document import Node, Plain
from etl.config.json_schema import compiled, first_line
from etl.errors import Fault


def with_shape(job: Node, config_dir: Path) -> tuple[Node, list[Fault]]:
    """The entry with the schema itself in place of the file that holds it; without any where it is none."""
    shape = job.get("shape")
    if shape is None or shape.value is None:
        return job, []
    try:
        schema = _schema_of(shape, config_dir)
        compiled(schema)
    except (OSError, ValueError) as error:
        rest = {key: value for key, value in job.mapping.items() if key != "shape"}
        return job.child(rest), [shape.fault(f"shape: {first_line(error)}")]
    return job.child({**job.mapping, "shape": _tree(schema, shape)}), []


def _schema_of(shape: Node, config_dir: Path) -> Any:
    if not isinstance(shape.value, str):
        return shape.plain()
    path = config_dir / shape.value
    if not path.is_file():
        raise ValueError(f"no file {path}; expected a JSON Schema")
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None


def _tree(plain: Plain, at: Node) -> Node:
    if isinstance(plain, dict):
        return at.child({key: _tree(value, at) for key, value in plain.items()})
    if isinstance(plain, list):
        return at.child(tuple(_tree(value, at) for value in plain))
    return at.child(plain)
