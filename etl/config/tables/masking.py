"""What may not be hashed or masked, and where it does not fit: said of the entry, and again where only the live source
knows its schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from etl.config.destinations.registry import known_destinations
from etl.config.mask_key import HOW
from etl.config.settings import Settings
from etl.config.tables.definitions import definitions_of
from etl.config.tables.entry import Entry
from etl.config.tables.masks import KEYED, Mask, domain_of, kind_of, makes_null, misfit
from etl.config.tables.models import TableConfig, TransformConfig
from etl.errors import Fault
from etl.model import Destination, ForeignKey, TableDefinition

Objection = tuple[str, str, str]
"""The step, the column, and why it may not be."""


def mask_faults(entry: Entry) -> Iterator[Fault]:
    for step, column, reason in objections(entry.config, entry.config.definition):
        yield entry.at("transform", step, column).fault(f"transform.{step}.{column}: {reason}")


def objections(table: TableConfig, definition: TableDefinition | None) -> Iterator[Objection]:
    """What is wrong with the entry's hashes and masks, as far as `definition`, the source's schema, is known."""
    transform = table.transform
    for name in transform.hash:
        if name in transform.mask:
            yield "mask", name, "the column is hashed, too; keep `hash` or `mask` of it"
    yield from _merged_keys(table, definition)
    yield from _lost_days(table)
    yield from _lost_versions(table)
    yield from _nulled(table, definition)
    types = _types(transform, definition)
    for name, mask in transform.mask.items():
        if name in types and (reason := misfit(mask, types[name])):
            yield "mask", name, reason


def key_faults(entries: Iterable[Entry], settings: Settings) -> Iterator[Fault]:
    """Of masks that are made by a key, where there is none."""
    if settings.mask_key.get_secret_value():
        return
    for entry in entries:
        for name, mask in entry.config.transform.mask.items():
            if kind_of(mask) in KEYED:
                yield entry.at("transform", "mask", name).fault(
                    f"transform.mask.{name}: {kind_of(mask)} needs a key, which comes from the environment; {HOW}"
                )


def hides_values(transform: TransformConfig) -> bool:
    """Whether there are columns whose values may not be seen by whoever sees the rest."""
    return bool(transform.hash or transform.mask or transform.drop)


def uses_key(transform: TransformConfig) -> bool:
    return any(kind_of(mask) in KEYED for mask in transform.mask.values())


def foreign_key_faults(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    stores = [name for name in known_destinations() if settings.server(name) is not None]
    tables = {entry.name: entry.config for entry in entries}
    definitions = definitions_of(tables)
    for entry in entries:
        for step, column, reason in foreign_key_objections(entry.config, definitions.get(entry.name), tables, stores):
            yield entry.at("transform", step, column).fault(f"table {entry.name}: {reason}")


def foreign_key_objections(
    table: TableConfig,
    definition: TableDefinition | None,
    tables: Mapping[str, TableConfig],
    stores: Collection[Destination],
) -> Iterator[Objection]:
    """A store with foreign keys finds no parent of a value that is other there than here; `definition` calls parents as
    `tables` does, and `stores` are loaded."""
    for key in definition.foreign_keys if definition else ():
        parent = tables.get(key.parent_table)
        if parent is not None and _is_followed(table, parent, key, stores):
            yield from _unlike(table, parent, key)


def _merged_keys(table: TableConfig, definition: TableDefinition | None) -> Iterator[Objection]:
    """Masked values collide, and a target keeps what the source calls unique."""
    unique = set(table.key)
    if definition is not None:
        keys = (definition.primary_key, *definition.unique_keys)
        unique |= {table.transform.rename.get(name, name) for key in keys for name in key}
    for name in sorted(unique & set(table.transform.mask)):
        if kind_of(table.transform.mask[name]) not in KEYED:
            yield "mask", name, f"{name} must stay unique; use `hash` or `drop` for it, or the masks hmac or tokenise"


def _lost_days(table: TableConfig) -> Iterator[Objection]:
    """What partitions are cut by stays a date."""
    name, transform = table.date_column, table.transform
    reason = f"{name} is the date_column, by which partitions are cut; it may be truncated to a month or year, no more"
    if name in transform.hash:
        yield "hash", str(name), reason
    if name in transform.mask and kind_of(transform.mask[name]) != "truncate":
        yield "mask", str(name), reason


def _lost_versions(table: TableConfig) -> Iterator[Objection]:
    for destination, load in table.loads.items():
        version = getattr(load, "version", None)
        for step, names in (("hash", table.transform.hash), ("mask", table.transform.mask)):
            if load.enabled and isinstance(version, str) and version in names:
                yield step, version, f"{version} is the version of {destination}, by which the row that stays is found"


def _nulled(table: TableConfig, definition: TableDefinition | None) -> Iterator[Objection]:
    transform = table.transform
    never = {*transform.required, *transform.default}
    if definition is not None:
        never |= {transform.rename.get(each.name, each.name) for each in definition.columns if not each.nullable}
    for name in sorted(never - set(transform.derive)):
        if name in transform.mask and makes_null(transform.mask[name]):
            yield "mask", name, f"{name} is never NULL, and stores hold it so; give `redact` a text, or `drop` it"


def _types(transform: TransformConfig, definition: TableDefinition | None) -> Mapping[str, str]:
    """As they are where masks are applied; of a derived column only Spark knows it."""
    found = {transform.rename.get(each.name, each.name): each.type for each in definition.columns} if definition else {}
    return {name: type_ for name, type_ in {**found, **transform.cast}.items() if name not in transform.derive}


def _is_followed(child: TableConfig, parent: TableConfig, key: ForeignKey, stores: Collection[Destination]) -> bool:
    """Whether a store makes the link, since it has both sides under their own names, and what they hold is known here:
    an expression or a class of the user's may make anything of them."""
    links = (
        load.enabled and getattr(load, "foreign_keys", False) and parent.loads[name].enabled
        for name, load in child.loads.items()
        if name in stores and name in parent.loads
    )
    sides = [(child, name) for name in key.columns] + [(parent, name) for name in key.parent_columns]
    made = any(name in {**one.transform.rename, **one.transform.derive} for one, name in sides)
    dropped = any(name in one.transform.drop for one, name in sides)
    return any(links) and not made and not dropped and not (child.transform.transformer or parent.transform.transformer)


def _unlike(child: TableConfig, parent: TableConfig, key: ForeignKey) -> Iterator[Objection]:
    for name, parent_name in zip(key.columns, key.parent_columns, strict=True):
        here, there = _protection(child, name), _protection(parent, parent_name)
        if here == there or _is_nulled(child, name):
            continue
        reason = (
            f"{name} refers to {parent_name} of {parent.name}, and no value would be found there: {name} is {here}, "
            f"{parent_name} is {there}; make both alike (of `tokenise` the domain, too), or write "
            "`postgresql: {foreign_keys: false}`"
        )
        yield "mask" if name in child.transform.mask else "hash", name, reason


def _protection(table: TableConfig, column: str) -> str:
    """Columns with the same have the same for equal values."""
    if column in table.transform.hash:
        return "hashed"
    mask = table.transform.mask.get(column)
    if mask is None:
        return "as it is"
    domain = domain_of(mask, table.name, column)
    return f"tokenised in the domain {domain}" if domain else f"masked ({_spelled(mask)})"


def _spelled(mask: Mask) -> str:
    return mask if isinstance(mask, str) else mask.model_dump_json()


def _is_nulled(table: TableConfig, column: str) -> bool:
    return column in table.transform.mask and makes_null(table.transform.mask[column])
