"""A located tree → a frozen model; what pydantic refuses becomes faults with file, line and the nearest valid name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from etl.config.document import Node
from etl.errors import Fault
from etl.nearest import suggestion

ModelT = TypeVar("ModelT", bound=BaseModel)
KeysAt = Mapping[tuple[str, ...], Iterable[str]]
"""Valid keys of each mapping in a tree, by its path; for the nearest name of an unknown key. `*` is any key."""

_CHOICES = frozenset({"enum", "literal_error", "union_tag_invalid"})
_QUOTED = re.compile(r"'([^']*)'")


def validate(model: type[ModelT], node: Node, keys_at: KeysAt) -> tuple[ModelT | None, list[Fault]]:
    """Strict, as JSON: a quoted number is text, `yes` is no boolean."""
    try:
        return model.model_validate_json(json.dumps(node.plain()), strict=True), []
    except ValidationError as error:
        return None, [_fault(details, node, keys_at) for details in error.errors(include_url=False)]


def unknown_keys(node: Node, valid: Iterable[str], where: str = "") -> list[Fault]:
    """A fault for each key of a mapping that is not valid there."""
    names = list(valid)
    return [
        child.fault(f"unknown key {key!r}{f' in {where}' if where else ''}; {suggestion(key, names)}")
        for key, child in node.mapping.items()
        if key not in names
    ]


def _fault(details: ErrorDetails, root: Node, keys_at: KeysAt) -> Fault:
    path, node = _locate(root, (*details["loc"], *_discriminator(details)))
    label = ".".join(path)
    kind, message = details["type"], details["msg"]
    if kind == "extra_forbidden":
        key, parent = path[-1], path[:-1]
        where = f" in {'.'.join(parent)}" if parent else ""
        return node.fault(f"unknown key {key!r}{where}; {suggestion(key, _valid_at(parent, keys_at))}")
    if kind in ("missing", "union_tag_not_found"):
        key = str(details["loc"][-1]) if kind == "missing" else "type"
        return node.fault(f"{f'{label}: ' if label else ''}key {key!r} is missing")
    found = _found(node)
    if kind in _CHOICES:
        expected = details.get("ctx", {}).get("expected") or details.get("ctx", {}).get("expected_tags") or ""
        return node.fault(f"{label}: unknown value{found}; {suggestion(str(node.value), _QUOTED.findall(expected))}")
    if kind == "value_error":
        return node.fault(f"{label}: {message.removeprefix('Value error, ')}")
    return node.fault(f"{label}: {message.replace('Input should', 'should', 1)}; found{found or ' another value'}")


def _valid_at(path: tuple[str, ...], keys_at: KeysAt) -> Iterable[str]:
    fitting = (
        keys
        for known, keys in keys_at.items()
        if len(known) == len(path) and all(one in (step, "*") for one, step in zip(known, path, strict=True))
    )
    return next(fitting, ())


def _discriminator(details: ErrorDetails) -> tuple[str, ...]:
    """Of a wrong `type` pydantic names the mapping that holds it."""
    return (details["ctx"]["discriminator"].strip("'"),) if details["type"] == "union_tag_invalid" else ()


def _locate(root: Node, location: tuple[int | str, ...]) -> tuple[tuple[str, ...], Node]:
    """The deepest written value on an error's path; steps that name a model and not a key are passed over."""
    path: list[str] = []
    node = root
    for step in location:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
            path.append(str(step))
        elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            path.append(str(step))
    return tuple(path), node


def _found(node: Node) -> str:
    """The value as written; never one that a variable gave, for that may be a secret."""
    if node.from_environment:
        return " (from a variable)"
    if isinstance(node.value, dict):
        return " a mapping"
    if isinstance(node.value, tuple):
        return " a list"
    return f" {_written(node.value)}"


def _written(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) else repr(value)
