"""A table's entry, laid upon its defaults, becomes one TableConfig."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, reduce
from pathlib import Path
from typing import Any, get_origin

from pydantic import create_model

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.registry import known_destinations
from etl.config.destinations.spec import DestinationSpec
from etl.config.document import Node, UnknownValueFault, merge
from etl.config.frozen import FrozenModel
from etl.config.tables.entry import Entry
from etl.config.tables.masks import MaskWith, Partial, Tokenise
from etl.config.tables.models import (
    Deduplicate,
    ExtractConfig,
    FileSource,
    OrderColumn,
    PostgreSQLSource,
    TableConfig,
    TransformConfig,
)
from etl.config.tables.schema import Schema
from etl.config.validation import KeysAt, unknown_keys, validate
from etl.errors import Fault
from etl.model import TableKind
from etl.nearest import suggestion

BUILT_IN = Path(__file__).with_name("kinds.yaml")

SHARED_KEYS = (
    "key", "date_column", "null_safe_key", "conflict_resolution", "schema_contract", "vanished_rows",
    "maximum_deleted", "maximum_rejected", "out_of_range", "enabled",
)  # fmt: skip
"""What an entry says once for all destinations; those that a destination may say otherwise stand in its model too."""

_FOR_SOME = ("numeric_as",)
"""What an entry says once for those of its destinations that know it."""

_FIXED = frozenset({"table_name", "destination", "key", "date_column", "deleted_rows"})
_TRANSFORM_LISTS = ("normalize_case", "required", "hash", "drop")
_KEYS_AT: dict[tuple[str, ...], Iterable[str]] = {
    ("source",): {**PostgreSQLSource.model_fields, **FileSource.model_fields},
    ("extract",): ExtractConfig.model_fields,
    ("transform",): TransformConfig.model_fields,
    ("transform", "mask", "*"): MaskWith.model_fields,
    ("transform", "mask", "*", "partial"): Partial.model_fields,
    ("transform", "mask", "*", "tokenise"): Tokenise.model_fields,
    ("transform", "deduplicate"): Deduplicate.model_fields,
    ("transform", "deduplicate", "order_by", "0"): OrderColumn.model_fields,
}
_POSTGRESQL_ONLY = PostgreSQLSource.model_fields.keys() - FileSource.model_fields.keys()
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Layer:
    """Defaults that one file states: for all of its tables, and for those of a kind."""

    defaults: Node
    kinds: dict[str, Node]

    def for_kind(self, kind: str) -> list[Node]:
        return [self.defaults, *([self.kinds[kind]] if kind in self.kinds else [])]


def built_in_files() -> tuple[Path, ...]:
    """The ground of every entry: what the product says, and what each destination does with it."""
    return (BUILT_IN, *(spec.kinds for spec in known_destinations().values()))


def entry_keys() -> tuple[str, ...]:
    return ("kind", *SHARED_KEYS, *_FOR_SOME, *_blocks())


def _blocks() -> tuple[str, ...]:
    return ("source", "extract", "transform", *known_destinations())


def _load_keys(spec: DestinationSpec) -> tuple[str, ...]:
    return tuple(key for key in spec.load_config.model_fields if key not in _FIXED)


@cache
def _loads_model(specs: tuple[DestinationSpec, ...]) -> type[FrozenModel]:
    fields: dict[str, Any] = {str(spec.name): (spec.load_config, ...) for spec in specs}
    return create_model("Loads", __base__=FrozenModel, **fields)


def layer_of(document: Node) -> tuple[Layer, list[Fault]]:
    """The `defaults` and `kinds` of a file."""
    defaults = document.get("defaults") or document.child({})
    kinds = document.get("kinds") or document.child({})
    faults = unknown_keys(kinds, TableKind, "kinds")
    if kinds.value is not None and not isinstance(kinds.value, dict):
        faults.append(kinds.fault("kinds must be a mapping of kinds"))
    for where, node in (("defaults", defaults), *((f"kinds.{kind}", node) for kind, node in kinds.mapping.items())):
        faults += _block_faults(node, where)
    return Layer(_mapping(defaults), {kind: _mapping(node) for kind, node in kinds.mapping.items()}), faults


def read_entry(
    name: str, domain: str, node: Node, layers: Sequence[Layer], schema: Schema
) -> tuple[Entry | None, list[Fault]]:
    """The entry upon its defaults: first those of the product, then of etl.yaml, then of its own file."""
    own = _mapping(node)
    faults = _block_faults(node, name)
    kind = _kind(own, layers)
    if kind is None or kind.value not in list(TableKind):
        found = f"unknown kind {kind.value!r}" if kind else f"table {name} has no kind"
        nearest = suggestion(str(kind.value if kind else ""), TableKind)
        return None, [*faults, (kind or node).fault(f"{found}; {nearest}")]
    stack = [part for layer in layers for part in layer.for_kind(str(kind.value))]
    merged = _without_nulls(reduce(merge, [*stack, own]))
    tree, more = _tree(name, domain, replace(merged, file=node.file, line=node.line), schema)
    config, refused = _config(tree)
    faults += [_placed(fault, node) for fault in (*more, *refused)]
    return (Entry(name, domain, own, tree, config, _built_in_names()) if config else None), faults


def _config(tree: Node) -> tuple[TableConfig | None, list[Fault]]:
    """The table by its own model, and each destination's block by that destination's."""
    own = tree.child({key: node for key, node in tree.mapping.items() if key != "loads"})
    config, faults = validate(TableConfig, own, _KEYS_AT)
    specs = tuple(known_destinations().values())
    keys: KeysAt = {(str(spec.name),): _load_keys(spec) for spec in specs}
    loads, more = validate(_loads_model(specs), tree.mapping["loads"], keys)
    if config is None or loads is None:
        return None, [*faults, *more]
    return config.model_copy(update={"loads": {spec.name: getattr(loads, spec.name) for spec in specs}}), []


def _placed(fault: Fault, node: Node) -> Fault:
    """What a built-in default does to a table is a fault of its entry, not of the product's file."""
    return replace(fault, file=node.file, line=node.line) if fault.file in _built_in_names() else fault


def _built_in_names() -> frozenset[str]:
    return frozenset(map(str, built_in_files()))


def _mapping(node: Node) -> Node:
    """An empty entry (`companies:`) states nothing; neither does a block that is no mapping, a fault already."""
    blocks = _blocks()
    kept = {k: v for k, v in node.mapping.items() if k not in blocks or v.value is None or isinstance(v.value, dict)}
    return replace(node, value=kept)


def _block_faults(node: Node, where: str) -> list[Fault]:
    if node.value is not None and not isinstance(node.value, dict):
        return [node.fault(f"{where} must be a mapping of keys")]
    faults = unknown_keys(node, entry_keys(), where)
    for key in _blocks():
        block = node.get(key)
        if block is not None and block.value is not None and not isinstance(block.value, dict):
            faults.append(block.fault(f"{key} must be a mapping of keys"))
    for name, spec in known_destinations().items():
        block = node.get(name)
        faults += unknown_keys(block, _load_keys(spec), name) if block is not None else []
    return faults


def _kind(own: Node, layers: Sequence[Layer]) -> Node | None:
    written = [own.get("kind"), *(layer.defaults.get("kind") for layer in reversed(layers))]
    return next((node for node in written if node is not None and node.value is not None), None)


def _without_nulls(node: Node) -> Node:
    """`null` takes a default back, save in `transform`, where it may be a value."""
    if not isinstance(node.value, dict):
        return node
    kept = {key: child for key, child in node.value.items() if child.value is not None}
    return replace(node, value={k: child if k == "transform" else _without_nulls(child) for k, child in kept.items()})


def _tree(name: str, domain: str, merged: Node, schema: Schema) -> tuple[Node, list[Fault]]:
    """The shape of TableConfig: templates filled in, what is shared put into every destination."""
    faults: list[Fault] = []
    names = _template_names(name, domain, merged)
    tree: dict[str, Node] = {"name": merged.child(name), "domain": merged.child(domain)}
    for key in ("kind", "date_column"):
        if (node := merged.get(key)) is not None:
            tree[key] = node
    source = tree["source"] = _fill(_own_source(merged.get("source") or merged.child({})), names, faults)
    tree["key"] = _listed(merged.get("key") or _primary_key(source, schema))
    if (extract := merged.get("extract")) is not None:
        tree["extract"] = _extract(extract)
    if (transform := merged.get("transform")) is not None:
        listed = _with_lists(transform, _TRANSFORM_LISTS)
        steps = {k: _with_lists(v, ("order_by",)) if k == "deduplicate" else v for k, v in listed.mapping.items()}
        tree["transform"] = replace(transform, value=steps)
    loads: dict[str, Node] = {}
    for spec in known_destinations().values():
        block = _fill(merged.get(spec.name) or merged.child({}), names, faults)
        loads[spec.name] = _load(name, spec, block, merged, tree)
    return merged.child(tree | {"loads": merged.child(loads)}), faults


def _primary_key(source: Node, schema: Schema) -> Node:
    """Who states no key means the primary key that the source has."""
    schema_name, table = source.get("schema_name"), source.get("table")
    definition = schema.get((str(schema_name.value if schema_name else "public"), str(table.value if table else "")))
    return source.child(tuple(source.child(column) for column in (definition.primary_key if definition else ())))


def _template_names(name: str, domain: str, merged: Node) -> dict[str, str]:
    date_column = merged.get("date_column")
    names = {"domain": domain, "table": name, "short_name": name.removeprefix(f"{domain}_")}
    return names | ({"date_column": str(date_column.value)} if date_column is not None else {})


def _own_source(source: Node) -> Node:
    """A file source keeps nothing of the PostgreSQL default beneath it."""
    kind = source.get("type")
    if kind is None or kind.value != "file":
        return source
    return replace(source, value={k: v for k, v in source.mapping.items() if k not in _POSTGRESQL_ONLY})


def _extract(extract: Node) -> Node:
    """Who reads all follows no watermark."""
    mode = extract.get("mode")
    if mode is not None and mode.value == "full":
        return replace(extract, value={key: node for key, node in extract.mapping.items() if key != "watermark"})
    return extract


def _load(name: str, spec: DestinationSpec, block: Node, merged: Node, tree: dict[str, Node]) -> Node:
    valid = _load_keys(spec)
    keys = (*SHARED_KEYS, *(key for key in _FOR_SOME if key in valid))
    shared = {key: node for key in keys if (node := tree.get(key) or merged.get(key)) is not None}
    own = _with_lists(block, _lists(spec.load_config)).mapping
    load = shared | {key: node for key, node in own.items() if key in valid}
    for field in spec.load_config.follows_key:
        load.setdefault(field, tree["key"])
    return block.child(load | {"table_name": block.child(name)})


def _lists(model: type[TableLoadConfig]) -> list[str]:
    return [name for name, field in model.model_fields.items() if get_origin(field.annotation) is tuple]


def _with_lists(block: Node, keys: Sequence[str]) -> Node:
    if not isinstance(block.value, dict):
        return block
    return replace(block, value={k: _listed(node) if k in keys else node for k, node in block.mapping.items()})


def _listed(node: Node) -> Node:
    """`key: a` is `key: [a]`."""
    return node if isinstance(node.value, tuple | dict) or node.value is None else node.child((node,))


def _fill(node: Node, names: dict[str, str], faults: list[Fault]) -> Node:
    """Put the table's own names into `{table}` and its like."""
    if isinstance(node.value, dict):
        return replace(node, value={key: _fill(child, names, faults) for key, child in node.value.items()})
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(_fill(child, names, faults) for child in node.value))
    if not isinstance(node.value, str):
        return node
    for missing in sorted(set(_PLACEHOLDER.findall(node.value)) - set(names)):
        if missing == "date_column":
            faults.append(_unknown(node, f"{node.value!r} needs a date_column, and table {names['table']} has none"))
        else:
            faults.append(_unknown(node, f"unknown name {{{missing}}} in {node.value!r}; {suggestion(missing, names)}"))
    return replace(node, value=_PLACEHOLDER.sub(lambda match: names.get(match[1], match[0]), node.value))


def _unknown(node: Node, message: str) -> Fault:
    return UnknownValueFault(node.file, node.line, message)
