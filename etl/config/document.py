"""One YAML file → a tree of values that each know the file and line they were written on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import yaml

from etl.errors import Fault

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]


class UnknownValueFault(Fault):
    """A value that could not be made out: whatever else is said of its line only follows from that."""


@dataclass(frozen=True)
class Node:
    """A value and where it stands. `from_environment` holds for a scalar of which any part came from a variable."""

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    file: str
    line: int
    from_environment: bool = False

    @property
    def mapping(self) -> dict[str, Node]:
        return self.value if isinstance(self.value, dict) else {}

    def get(self, *path: str) -> Node | None:
        node: Node | None = self
        for step in path:
            node = node.mapping.get(step) if node is not None else None
        return node

    def plain(self) -> Plain:
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def fault(self, message: str) -> Fault:
        return Fault(self.file, self.line, message)

    def child(self, value: Scalar | tuple[Node, ...] | dict[str, Node]) -> Node:
        """A value that stands where this one does."""
        return Node(value, self.file, self.line)


def telling(faults: Iterable[Fault]) -> list[Fault]:
    """In the order of files and lines; what only follows from an unknown value is left out."""
    unknown = {(fault.file, fault.line) for fault in faults if isinstance(fault, UnknownValueFault)}
    kept = {f for f in faults if isinstance(f, UnknownValueFault) or (f.file, f.line) not in unknown}
    return sorted(kept, key=attrgetter("file", "line", "message"))


def read_document(path: Path, environ: Mapping[str, str]) -> tuple[Node, list[Fault]]:
    """The tree of a YAML file, variables replaced, and every fault that can be said of the file alone."""
    file = str(path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        return Node({}, file, 1), [Fault(file, line, f"not YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return Node({}, file, 1), [Fault(file, 0, f"not a UTF-8 YAML file: {error.__class__.__name__}")]
    if root is None:
        return Node({}, file, 1), []
    builder = _Builder(file, environ)
    tree = builder.build(root)
    if not isinstance(tree.value, dict):
        return Node({}, file, 1), [*builder.faults, tree.fault("the file must hold a mapping of keys")]
    return tree, builder.faults


def merge(base: Node, over: Node) -> Node:
    """`over` laid upon `base`: mappings merge key by key, anything else replaces; each part keeps its own line."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(over, value=merged)


# PyYAML follows YAML 1.1, where `no` is False, `12:30` is 750 and `010` is 8; here all is text that JSON would quote.
class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])

_VARIABLE = re.compile(r"\$(?:\$(?=\{)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<bad>\{))")


class _Builder:
    """Walks PyYAML's nodes once, and gathers faults on the way."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self.file = file
        self.environ = environ
        self.faults: list[Fault] = []
        self._scalars = _Loader("")
        self._open: set[int] = set()

    def build(self, node: yaml.Node, line: int | None = None) -> Node:
        line = line or node.start_mark.line + 1
        if id(node) in self._open:
            self.faults.append(Fault(self.file, line, "an alias may not contain itself"))
            return Node(None, self.file, line)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return Node(self._mapping(node), self.file, line)
            if isinstance(node, yaml.SequenceNode):
                return Node(tuple(self.build(item) for item in node.value), self.file, line)
            return self._scalar(node, line)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Node]:
        written: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in written and key != "<<":
                self.faults.append(Fault(self.file, line, f"key {key!r} is already given in line {written[key]}"))
            written.setdefault(key, line)
        self._scalars.flatten_mapping(node)  # replaces `<<` by what it names, before the mapping's own keys
        built: dict[str, Node] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if isinstance(key_node, yaml.ScalarNode):
                built[key_node.value] = self.build(value_node, line)
            else:
                self.faults.append(Fault(self.file, line, "a key must be text"))
        return built

    def _scalar(self, node: yaml.Node, line: int) -> Node:
        text, found = self._interpolate(str(node.value), line)
        tag = node.tag
        if text != node.value and getattr(node, "style", None) is None:  # `${PORT:-5432}` is a number
            tag = self._scalars.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return Node(self._value(tag, text, line), self.file, line, from_environment=found)

    def _value(self, tag: str, text: str, line: int) -> Scalar:
        kind = tag.removeprefix("tag:yaml.org,2002:")
        if kind == "null":
            return None
        if kind == "bool":
            return text == "true"
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        if kind not in ("str", "merge"):
            self.faults.append(Fault(self.file, line, f"tag {tag!r} is not allowed; write plain text"))
        return text

    def _interpolate(self, text: str, line: int) -> tuple[str, bool]:
        found = False

        def put(match: re.Match[str]) -> str:
            nonlocal found
            if match["bad"]:
                self.faults.append(Fault(self.file, line, "write ${NAME} or ${NAME:-default}; $${ stands for ${"))
            if not match["name"]:
                return "$"
            value = self.environ.get(match["name"])
            found = found or bool(value)
            if value is None and match["default"] is None:
                self.faults.append(
                    UnknownValueFault(
                        self.file,
                        line,
                        f"variable {match['name']} is not set; set it, or write ${{{match['name']}:-default}}",
                    )
                )
            return value or match["default"] or ""

        return _VARIABLE.sub(put, text), found
