"""What the user should know of a table's migration beside its steps."""

from __future__ import annotations

from collections.abc import Iterator

from etl.staging.migrate.planning.columns import NEW_PREFIX, Columns, Treatment
from etl.staging.migrate.planning.indexes import Indexes
from etl.staging.migrate.planning.refusals import LINEAGE


def notes_of(columns: Columns) -> tuple[str, ...]:
    return (*_extra_columns(columns), *_lost(columns), *_writers(columns))


def _extra_columns(columns: Columns) -> Iterator[str]:
    for name, column in columns.facts.columns.items():
        if name in columns.plans or name.startswith(NEW_PREFIX) or not column.is_required:
            continue
        if column.default_text is None and not column.is_identity:
            yield f"{name} is NOT NULL without a default: the loader, which does not know it, cannot insert rows"


def _lost(columns: Columns) -> Iterator[str]:
    facts = columns.facts
    replaced = columns.of(Treatment.REPLACE)
    names = {plan.wanted.name for plan in replaced}
    if replaced:
        yield f"{', '.join(sorted(names))} will stand last: name the columns where rows are inserted"
    for plan in replaced:
        if plan.found and plan.found.default_text and not columns.default(plan.wanted.name):
            yield f"the default of {plan.wanted.name} ({plan.found.default_text}) goes: writers must give the value"
    for index in Indexes(columns).deferrable():
        yield f"constraint {index.constraint_name} goes: while it is deferrable, ON CONFLICT (source_id) is refused"
    for index in Indexes(columns).leaving():
        yield f"index {index.name} ({', '.join(index.columns)}) goes with the column that is replaced"
    for constraint in facts.constraints:
        if constraint.kind == "c" and names & set(constraint.columns) and not _is_own(constraint.columns):
            yield f"CHECK {constraint.name} goes with the column that is replaced"


def _is_own(names: tuple[str, ...]) -> bool:
    return any(name.startswith(NEW_PREFIX) for name in names)


def _writers(columns: Columns) -> Iterator[str]:
    facts = columns.facts
    for plan in columns.plans.values():
        if plan.found and plan.found.is_generated:
            yield f"{plan.wanted.name} is generated no longer: writers must give the value"
    if facts.triggers and not facts.may_silence_triggers:
        yield (
            f"triggers {', '.join(facts.triggers)} fire for rows that are filled in or archived: disable them, or "
            "GRANT SET ON PARAMETER session_replication_role to this user"
        )
    kept = [column for column in LINEAGE if not (plan := columns.plans[column]).found or not plan.found.is_required]
    if kept:
        yield f"{', '.join(kept)} keeps the historical id as its default for writers that do not know it"
