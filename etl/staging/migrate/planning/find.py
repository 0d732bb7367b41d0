"""Reads the catalogs: which tables the pattern names, and how they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from etl.staging.ledger.queries import statement
from etl.staging.migrate.planning.facts import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts
from etl.staging.migrate.settings import MigrationSettings, like_literally
from etl.statements.staging.migration import has_rows, synchronisation_trigger
from etl.statements.staging.tables import StagingTable, columns_of, derived_name

_KINDS = {
    "v": "it is a view",
    "m": "it is a materialized view",
    "f": "it is a foreign table: migrate it where it stands",
    "p": "it is partitioned: a UNIQUE (source_id) would need the partition key in it",
}

Row = Mapping[str, Any]


def find_tables(cursor: Any, settings: MigrationSettings, table: str | None = None) -> list[TableFacts]:
    """All that the pattern names, or just one of them; in the order of their names."""
    pattern = like_literally(table) if table else settings.like_pattern
    cursor.execute(statement("legacy_tables"), {"schema": settings.schema, "pattern": pattern})
    tables = cursor.fetchall()
    details = _details(cursor, settings, [row["oid"] for row in tables])
    cursor.execute(statement("legacy_names"), {"schema": settings.schema})
    taken = frozenset(row["name"] for row in cursor.fetchall())
    cursor.execute(statement("legacy_may_silence_triggers"))
    may_silence = bool(cursor.fetchone()["may"])
    found = (_facts(row, details) for row in tables)
    return [
        replace(facts, has_rows=_has_rows(cursor, facts), taken_names=taken, may_silence_triggers=may_silence)
        for facts in found
    ]


def _details(cursor: Any, settings: MigrationSettings, oids: list[int]) -> dict[str, defaultdict[int, list[Row]]]:
    contract = [column.name for column in columns_of(StagingTable("any"))]
    places = {"schema": settings.schema, "adopted": settings.adopted_schema}
    values = {**places, "oids": oids, "contract": contract}
    details = {}
    for name in ("columns", "indexes", "constraints", "references", "dependents", "triggers"):
        cursor.execute(statement(f"legacy_{name}"), values)
        rows: defaultdict[int, list[Row]] = defaultdict(list)
        for row in cursor.fetchall():
            rows[row["oid"]].append(row)
        details[name] = rows
    return details


def _facts(row: Row, details: Mapping[str, defaultdict[int, list[Row]]]) -> TableFacts:
    own = {name: rows[row["oid"]] for name, rows in details.items()}
    trigger = synchronisation_trigger(derived_name(StagingTable(row["name"]), "migrate"))
    return TableFacts(
        name=row["name"],
        refusal=_refusal(row),
        columns={each["name"]: ColumnFacts(**_facts_of(each)) for each in own["columns"]},
        indexes=tuple(IndexFacts(**_facts_of(each)) for each in own["indexes"]),
        constraints=tuple(ConstraintFacts(**_facts_of(each)) for each in own["constraints"]),
        dependents=_by_column(own["dependents"]),
        children=tuple(each["child"] for each in own["references"]),
        acting_children=tuple(each["child"] for each in own["references"] if each["acts"]),
        triggers=tuple(each["name"] for each in own["triggers"] if each["name"] != trigger),
    )


def _facts_of(row: Row) -> dict[str, Any]:
    facts = {name: value for name, value in row.items() if name != "oid"}
    if "columns" in facts:
        facts["columns"] = tuple(facts["columns"])
    return facts


def _has_rows(cursor: Any, facts: TableFacts) -> bool:
    """Only asked where it matters."""
    if facts.refusal or {"source_id", "data"} <= set(facts.columns):
        return True
    cursor.execute(has_rows(facts.name, "true"))
    return bool(cursor.fetchone()["exists"])


def _refusal(row: Row) -> str | None:
    if row["kind"] in _KINDS:
        return _KINDS[row["kind"]]
    if row["is_partition"] or row["has_relatives"]:
        return "it is a partition, or inherits, or is inherited from: uniqueness cannot reach over such tables"
    if not row["is_owned"]:
        return f"it belongs to {row['owner']}: connect as that user, or be granted that role"
    return "it has rules, which would change what the migration writes" if row["has_rules"] else None


def _by_column(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    dependents: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        dependents[row["column_name"]].append(row["dependent"])
    return {name: tuple(found) for name, found in dependents.items()}
