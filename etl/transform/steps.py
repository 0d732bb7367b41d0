"""The declarative steps of a table's `transform` entry, one function each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce

from pyspark.sql import functions as F
from pyspark.sql.types import NullType, StructField

from etl.config.tables.masks import domain_of, keeps_type, kind_of, makes_null, misfit
from etl.config.tables.models import FileSource, TableConfig
from etl.model import UNREADABLE, TableDefinition
from etl.nearest import suggestion
from etl.postgresql_types import format_type
from etl.statements.quoting import spark_identifier, spark_literal
from etl.statements.types import is_wide_numeric, postgresql_type_of
from etl.transform.casting import cast_to, has_failed
from etl.transform.draft import FAILURE, Check, Draft, column_of
from etl.transform.expressions import condition, expression, fault
from etl.transform.keyed import Keys
from etl.transform.outcome import DELETED, TRIMMED, Outcome
from etl.transform.privacy import hashed, masked
from etl.transform.text import cleaned, is_free_text

_UNREADABLE_REASON = "the source's value cannot be carried: "
_KEPT_BY: Mapping[str, tuple[str, ...]] = {"ip": ("inet", "cidr"), "json": ("json", "jsonb")}


def reject_unreadable(draft: Draft) -> Draft:
    """Extract names the column and the value that a frame cannot hold."""
    if UNREADABLE not in draft.frame.columns:
        return draft
    # a column's name may hold an equals sign itself
    cases = [
        f"WHEN startswith({UNREADABLE}, {spark_literal(f'{name}=')}) THEN {spark_literal(name)}"
        for name in sorted(draft.unshown)
    ]
    shown = f"CASE {' '.join(cases)} ELSE {UNREADABLE} END" if cases else UNREADABLE
    reason = f"concat({spark_literal(_UNREADABLE_REASON)}, {shown})"
    checked = draft.failing([Check("unreadable", f"{UNREADABLE} IS NOT NULL", reason)])
    return replace(checked, frame=checked.frame.drop(UNREADABLE))


def rename(draft: Draft, names: Mapping[str, str]) -> Draft:
    if not names:
        return draft
    return replace(
        draft,
        frame=draft.frame.withColumnsRenamed(dict(names)),
        never_null=frozenset(names.get(name, name) for name in draft.never_null),
        postgresql_types={names.get(name, name): type_ for name, type_ in draft.postgresql_types.items()},
    )


def trim(draft: Draft, table: TableConfig, definition: TableDefinition | None) -> Draft:
    names = trimmed_names(table, definition, draft.fields.values(), draft.postgresql_types)
    if not names:
        return draft
    changes = " OR ".join(f"NOT ({cleaned(name)} <=> {spark_identifier(name)})" for name in names)
    return draft.altered({**{name: cleaned(name) for name in names}, TRIMMED: changes})


def trimmed_names(
    table: TableConfig, definition: TableDefinition | None, fields: Iterable[StructField], types: Mapping[str, str]
) -> list[str]:
    """Named columns, or where `true` all free text but keys: other tables refer to those as they are."""
    wanted = table.transform.trim
    if not isinstance(wanted, bool):
        return list(wanted)
    keys = _key_columns(table, definition)
    texts = [field.name for field in fields if is_free_text(field, types.get(field.name))]
    return [name for name in texts if name not in keys] if wanted else []


def cast(draft: Draft, table: TableConfig) -> Draft:
    """To the types that a file's `columns` declare, then to those of `cast`."""
    declared = _declared_types(table, draft)
    draft = _cast(draft, {name: type_ for name, type_ in declared.items() if name not in table.transform.cast})
    return _cast(draft, {name: format_type(type_) for name, type_ in table.transform.cast.items()})


def default(draft: Draft, table: TableConfig) -> Draft:
    fields = draft.fields
    values = {
        name: F.coalesce(column_of(name), F.lit(value).cast(fields[name].dataType))
        for name, value in table.transform.default.items()
    }
    return replace(draft.altered(values), never_null=draft.never_null | set(values))


def derive(draft: Draft, table: TableConfig) -> Draft:
    """In the order of the entry: an expression may use those above it."""
    return reduce(lambda so_far, one: _derive(so_far, table, *one), table.transform.derive.items(), draft)


def filter_rows(draft: Draft, table: TableConfig) -> Draft:
    if table.transform.filter is None:
        return draft
    keep = condition(draft, table, "filter", table.transform.filter)
    reason = spark_literal(f"filtered: not {table.transform.filter}")
    return draft.failing([Check("filter", f"NOT coalesce({keep}, false)", reason, Outcome.FILTERED)])


def tell_deleted(draft: Draft, table: TableConfig) -> Draft:
    """Kept beside the row until it has been through all steps."""
    if table.transform.deleted_when is None:
        return draft
    is_deleted = condition(draft, table, "deleted_when", table.transform.deleted_when)
    if not table.parts_deleted:
        return draft
    return replace(draft, frame=draft.frame.withColumn(DELETED, F.expr(f"coalesce({is_deleted}, false)")))


def excuse_deleted(draft: Draft, table: TableConfig) -> Draft:
    """A row that is deleted at the source is looked up by its key: nothing else of it has to obey a rule. Without a
    value in its key it stays rejected."""
    if not table.parts_deleted:
        return draft
    has_key = " AND ".join(f"{spark_identifier(name)} IS NOT NULL" for name in table.key) or "false"
    excused = (
        f"CASE WHEN {DELETED} AND {FAILURE}.outcome = '{Outcome.REJECTED}' AND {has_key} THEN NULL ELSE {FAILURE} END"
    )
    return replace(draft, frame=draft.frame.withColumn(FAILURE, F.expr(excused)))


def require(draft: Draft, names: tuple[str, ...]) -> Draft:
    checks = [
        Check(f"required:{name}", f"{spark_identifier(name)} IS NULL", spark_literal(f"{name} is NULL"))
        for name in names
        if name not in draft.never_null
    ]
    return replace(draft.failing(checks), never_null=draft.never_null | set(names))


def allow(draft: Draft, table: TableConfig) -> Draft:
    """NULL is for `required` to refuse. `normalize_case` brings a value to the spelling of the list first."""
    spelled = {name: _spelled(name, table.transform.allowed.get(name, ())) for name in table.transform.normalize_case}
    draft = draft.altered(spelled)
    return draft.failing(
        Check(
            f"allowed:{name}",
            f"CAST({spark_identifier(name)} AS STRING) NOT IN ({', '.join(map(spark_literal, values))})",
            draft.reason(name, f"{name} is none of {', '.join(values)}"),
        )
        for name, values in table.transform.allowed.items()
    )


def check_rules(draft: Draft, table: TableConfig) -> Draft:
    return draft.failing(
        Check(f"rule:{name}", f"NOT {condition(draft, table, f'rules.{name}', sql)}", spark_literal(f"not {sql}"))
        for name, sql in table.transform.rules.items()
    )


def protect(draft: Draft, table: TableConfig, keys: Keys) -> Draft:
    """Hashes and masks; an address masked to its network is still an address, masked JSON still JSON."""
    masks, types = table.transform.mask, draft.postgresql_types
    if not table.transform.hash and not masks:
        return draft
    fields = draft.fields
    _refuse_misfits(table, fields, types)
    columns = {name: hashed(name, keys) for name in table.transform.hash}
    columns |= {
        name: masked(name, mask, fields[name].dataType, domain_of(mask, table.name, name))
        for name, mask in masks.items()
    }
    still = {
        name: types[name]
        for name, mask in masks.items()
        if name in types and (keeps_type(mask) or types[name] in _KEPT_BY.get(kind_of(mask), ()))
    }
    nulled = {name for name, mask in masks.items() if makes_null(mask)}
    protected = draft.retyped(columns, still)
    return replace(protected, never_null=protected.never_null - nulled)


def _refuse_misfits(table: TableConfig, fields: Mapping[str, StructField], types: Mapping[str, str]) -> None:
    """Of columns that are known only now."""
    for step, names in (("hash", table.transform.hash), ("mask", table.transform.mask)):
        for name in names:
            if name not in fields:
                raise fault(table, step, f"table {table.name} has no column {name!r}; {suggestion(name, fields)}")
    for name, mask in table.transform.mask.items():
        found = types.get(name) or postgresql_type_of(fields[name].dataType.simpleString())
        if reason := misfit(mask, found):
            raise fault(table, f"mask.{name}", reason)


def drop(draft: Draft, table: TableConfig) -> Draft:
    return replace(draft, frame=draft.frame.drop(*table.transform.drop)) if table.transform.drop else draft


def _key_columns(table: TableConfig, definition: TableDefinition | None) -> frozenset[str]:
    if definition is None:
        return frozenset(table.key)
    keys = [definition.primary_key, *definition.unique_keys, *(key.columns for key in definition.foreign_keys)]
    renamed = {table.transform.rename.get(name, name) for key in keys for name in key}
    return frozenset(renamed | set(table.key))


def _declared_types(table: TableConfig, draft: Draft) -> dict[str, str]:
    if not isinstance(table.source, FileSource):
        return {}
    names = {name: table.transform.rename.get(name, name) for name in table.source.columns}
    types = {names[name]: format_type(type_) for name, type_ in table.source.columns.items()}
    return {name: type_ for name, type_ in types.items() if name in draft.names}


def _cast(draft: Draft, types: Mapping[str, str]) -> Draft:
    fields = draft.fields
    casts = {name: cast_to(column_of(name), fields[name].dataType, type_) for name, type_ in types.items()}
    checked = draft.failing(
        Check(f"cast:{name}", has_failed(column_of(name), value), draft.reason(name, f"{name} is no {types[name]}"))
        for name, value in casts.items()
    )
    return checked.retyped(casts, types)


def _derive(draft: Draft, table: TableConfig, name: str, sql: str) -> Draft:
    value, found = expression(draft, table, f"derive.{name}", sql)
    former = draft.fields.get(name)
    if isinstance(found, NullType):
        value = f"CAST({value} AS STRING)"
    is_same_type = former is not None and former.dataType == found
    if is_wide_numeric(draft.postgresql_types.get(name, "")):
        is_same_type = False  # text that was made of its digits is no number any more
    derived = draft.altered({name: value}) if is_same_type else draft.retyped({name: value})
    return replace(derived, never_null=draft.never_null - {name})


def _spelled(name: str, values: tuple[str, ...]) -> str:
    value = spark_identifier(name)
    cases = [f"WHEN {spark_literal(one.lower())} THEN {spark_literal(one)}" for one in values]
    return f"CASE lower(trim({value})) {' '.join(cases)} ELSE {value} END" if cases else value
