"""A run's parameters as a command line gives them: over the job's own, checked against its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from etl.config.json_schema import breaches
from etl.config.orchestrator.checks import ELSEWHERE, holds_secret
from etl.errors import UsageError
from etl.exact_json import as_json_path, inexact
from etl.nearest import suggestion
from etl.orchestrator.command.finding import Row


def given_parameters(job: Row, pairs: Sequence[str], document: str | None) -> dict[str, Any]:
    """What is put over the job's parameters; UsageError with each fault of what comes of it."""
    given = {**_document(document), **dict(_pair(job, pair) for pair in pairs)}
    merged = {**job["parameters"], **given}
    _check_names(job, given)
    faults = [f"{as_json_path(path)} {reason}" for path, reason in inexact(merged)]
    faults += [f"$.{name} {ELSEWHERE}" for name, value in given.items() if holds_secret(name, value)]
    plain = _plain(merged)
    faults = faults or [f"{as_json_path(path)}: {reason}" for path, reason in breaches(job["parameters_schema"], plain)]
    if faults:
        raise UsageError(f"parameters of {job['slug']}: {'; '.join(faults)}; `job show {job['slug']}` has its schema")
    return {name: plain[name] for name in given}


def _document(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        read = json.loads(text, parse_float=Decimal, object_pairs_hook=_once)
    except ValueError as error:
        raise UsageError(f"--parameters: expected a JSON object, found what is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise UsageError(f"--parameters: expected a JSON object, found {text[:40]}")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is there twice")
    return dict(pairs)


def _pair(job: Row, pair: str) -> tuple[str, Any]:
    name, sign, text = pair.partition("=")
    if not sign or not name:
        raise UsageError(f"--param: expected KEY=VALUE, found {pair!r}")
    return name, _value(text, _types(job, name))


def _value(text: str, types: set[str]) -> Any:
    """Text where the schema wants text; else JSON; a list also as `a,b`."""
    if types == {"string"}:
        return text
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return [part.strip() for part in text.split(",")] if "array" in types else text


def _types(job: Row, name: str) -> set[str]:
    """As the schema has them, else that of the job's own value."""
    schema = job["parameters_schema"].get("properties", {}).get(name, {})
    types = schema.get("type") if isinstance(schema, Mapping) else None
    if types is not None:
        return {types} if isinstance(types, str) else set(types)
    own = job["parameters"].get(name)
    return {"string"} if isinstance(own, str) else {"array"} if isinstance(own, list) else set()


def _check_names(job: Row, given: Mapping[str, Any]) -> None:
    """A name that neither the job nor its schema has would change nothing but the fingerprint."""
    known = {*job["parameters"], *job["parameters_schema"].get("properties", {})}
    for name in given:
        if name not in known and not job["parameters_schema"].get("additionalProperties"):
            raise UsageError(f"job {job['slug']} has no parameter {name!r}; {suggestion(name, known, 'it has')}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
