"""What a job's entry says that its types alone do not refuse: one way to run, its file, its parameters, its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from etl.config.document import Node
from etl.config.json_schema import breaches, compiled, first_line
from etl.config.orchestrator.models import GIVEN_PARAMETERS, PLACEHOLDER, WAYS
from etl.errors import Fault
from etl.exact_json import inexact
from etl.nearest import suggestion
from etl.project import PROJECT_DIR
from etl.redaction import MASK, redact, redact_value

ELSEWHERE = "holds a secret; let the job read it from its environment"


def entry_faults(entry: Node, own: Node, config_dir: Path) -> list[Fault]:
    """Of an entry with its defaults, of which `own` is what it says itself; values of a wrong type are passed over."""
    return [
        *_way_faults(entry),
        *_file_faults(entry, config_dir),
        *_parameter_faults(entry),
        *_placeholder_faults(entry, own),
        *_secret_faults(entry),
    ]


def sql_path(written: str, config_dir: Path) -> Path:
    """From the configuration's own folder where it is there, else from the project's."""
    own = (config_dir.absolute() / written).resolve()
    return own if own.is_file() else (PROJECT_DIR / written).resolve()


# Ways to run


def _way_faults(entry: Node) -> Iterator[Fault]:
    ways = [(key, entry.mapping[key]) for key in WAYS if _is_given(entry.get(key))]
    if not ways:
        yield entry.fault(f"nothing to run: expected one of {', '.join(WAYS)}")
    for key, node in ways[1:]:
        yield node.fault(f"{key}: expected one way to run; {ways[0][0]} is given in line {ways[0][1].line}")
    store = entry.get("store")
    if store is not None and _is_given(store) and "sql" not in dict(ways):
        yield store.fault("store: only a job of `sql` has one")
    elif "sql" in dict(ways) and not _is_given(store):
        yield entry.mapping["sql"].fault("sql: key 'store' is missing; expected postgresql or clickhouse")


def _file_faults(entry: Node, config_dir: Path) -> Iterator[Fault]:
    node = entry.get("sql")
    if node is None or not isinstance(node.value, str) or not node.value:
        return
    path = sql_path(node.value, config_dir)
    if not path.is_file():
        yield node.fault(f"sql: no file {node.value!r} in the configuration's folder or the project's")
    elif not path.read_text(encoding="utf-8", errors="replace").strip():
        yield node.fault(f"sql: {node.value!r} is empty")


def _is_given(node: Node | None) -> bool:
    return node is not None and node.value is not None


# Parameters


def _parameter_faults(entry: Node) -> Iterator[Fault]:
    parameters, schema = _block(entry, "parameters"), _block(entry, "parameters_schema")
    for name in parameters.mapping:
        if name in GIVEN_PARAMETERS:
            yield parameters.mapping[name].fault(f"parameters: every run has {name!r} already; choose another name")
        elif not PLACEHOLDER.fullmatch(f"{{{name}}}"):
            yield parameters.mapping[name].fault(f"parameters: {name!r}: expected letters, digits and `_`")
    for path, reason in inexact(parameters.plain()):
        yield _at(parameters, path).fault(f"{_label(path)}: {reason}")
    yield from _schema_faults(parameters, schema)


def _schema_faults(parameters: Node, schema: Node) -> Iterator[Fault]:
    described: Any = schema.plain()
    try:
        compiled(described)
    except ValueError as error:
        yield schema.fault(f"parameters_schema: {first_line(error)}")
        return
    for path, message in breaches(described, parameters.plain()):
        node = _at(parameters, path)
        said = "what a variable gave breaks parameters_schema" if node.from_environment else message
        yield node.fault(f"{_label(path)}: {said}")


def _block(entry: Node, key: str) -> Node:
    node = entry.get(key)
    return node if node is not None and isinstance(node.value, dict) else entry.child({})


def _label(path: Iterable[str | int]) -> str:
    return ".".join(["parameters", *map(str, path)])


def _at(node: Node, path: Iterable[str | int]) -> Node:
    """The written value that a path leads to, or the nearest above it."""
    for step in path:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
    return node


# Words


def _placeholder_faults(entry: Node, own: Node) -> Iterator[Fault]:
    """Told at the job where the words are its file's defaults: it is the parameter that is missing."""
    known = [
        *_block(entry, "parameters").mapping,
        *_block(_block(entry, "parameters_schema"), "properties").mapping,
        *GIVEN_PARAMETERS,
    ]
    for word in _words(entry):
        place = word if "argv" in own.mapping else own
        for name in PLACEHOLDER.findall(str(word.value)):
            if name not in known:
                yield place.fault(f"argv: no parameter {name!r}; {suggestion(name, known)}")


def _secret_faults(entry: Node) -> Iterator[Fault]:
    """What stands here is kept in the database, and shown to all who list processes."""
    for word in _words(entry):
        if redact(str(word.value)) != str(word.value):
            yield word.fault(f"argv: {ELSEWHERE}")
    for name, node in _block(entry, "parameters").mapping.items():
        if holds_secret(name, node.plain()):
            yield node.fault(f"parameters.{name}: {ELSEWHERE}")


def holds_secret(name: str, value: object) -> bool:
    """As far as its name or its form gives it away."""
    said = {name: value}
    return str(redact_value(said)).count(MASK) > str(said).count(MASK)


def _words(entry: Node) -> tuple[Node, ...]:
    argv = entry.get("argv")
    return argv.value if argv is not None and isinstance(argv.value, tuple) else ()
