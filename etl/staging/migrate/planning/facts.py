"""What the catalogs say of a table that may have to be migrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ColumnFacts:
    """`type` is the base type's own name (int4, varchar, …); `is_plain`: no domain, and no length or precision;
    `is_loose`: its collation takes different texts for equal."""

    name: str
    type: str
    type_text: str
    is_required: bool = False
    is_generated: bool = False
    is_identity: bool = False
    is_plain: bool = True
    is_loose: bool = False
    default_text: str | None = None


@dataclass(frozen=True)
class IndexFacts:
    """`is_plain`: a btree of whole columns in ascending order, of all rows."""

    name: str
    columns: tuple[str, ...]
    method: str = "btree"
    is_unique: bool = False
    is_valid: bool = True
    is_primary: bool = False
    is_immediate: bool = True
    is_plain: bool = True
    is_whole: bool = True
    constraint_name: str | None = None
    first_operators: str = ""


@dataclass(frozen=True)
class ConstraintFacts:
    """A CHECK (c) or foreign key (f); `parent` is None where it stands in another schema. `is_adopted`: the parent is
    the lineage of another system, whose place the ledger takes."""

    name: str
    kind: str
    columns: tuple[str, ...]
    is_valid: bool = True
    parent: str | None = None
    is_adopted: bool = False
    definition: str = ""


@dataclass(frozen=True)
class TableFacts:
    """`refusal` says why the table cannot be migrated at all. `dependents` are named by column."""

    name: str
    refusal: str | None = None
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    indexes: tuple[IndexFacts, ...] = ()
    constraints: tuple[ConstraintFacts, ...] = ()
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    acting_children: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    has_rows: bool = True
    may_silence_triggers: bool = True
    taken_names: frozenset[str] = frozenset()
