"""Why a table is left alone as a whole: better than half a migration, or one that guesses."""

from __future__ import annotations

from etl.staging.migrate.planning.columns import Columns, Treatment
from etl.staging.migrate.planning.facts import TableFacts

LINEAGE = {"etl_job_id": "etl_jobs", "etl_run_id": "etl_runs"}


def refusal_of(columns: Columns, *, moves_rows: bool) -> str | None:
    facts = columns.facts
    return (
        facts.refusal
        or _missing(facts)
        or _without_meaning(columns)
        or _depended_on(columns)
        or _foreign_lineage(facts)
        or _referenced(columns, moves_rows)
    )


def _missing(facts: TableFacts) -> str | None:
    missing = [name for name in ("source_id", "data") if name not in facts.columns]
    if not missing or not facts.has_rows:
        return None
    return f"it has rows but no column {' and no '.join(missing)}: add and fill it, or rename the table"


def _without_meaning(columns: Columns) -> str | None:
    for plan in columns.of(Treatment.REPLACE):
        if plan.found and columns.value(plan.wanted.name) is None:
            return (
                f"expected {plan.wanted.name} as {plan.wanted.type}, found {plan.found.type_text}, and nothing says "
                "how to read it: change its type first"
            )
    return None


def _depended_on(columns: Columns) -> str | None:
    for plan in columns.of(Treatment.ALTER, Treatment.REPLACE):
        dependents = columns.facts.dependents.get(plan.wanted.name)
        if dependents:
            return (
                f"{'; '.join(dependents)} needs {plan.wanted.name}, whose type must change to {plan.wanted.type}: "
                "drop it, migrate, and create it again"
            )
    return None


def _foreign_lineage(facts: TableFacts) -> str | None:
    for constraint in facts.constraints:
        if constraint.is_adopted:
            continue
        for column, parent in LINEAGE.items():
            if constraint.kind == "f" and column in constraint.columns and constraint.parent != parent:
                return f"{constraint.name} makes {column} refer to another table than {parent}: drop it first"
    return None


def _referenced(columns: Columns, moves_rows: bool) -> str | None:
    facts = columns.facts
    if facts.children and columns.of(Treatment.REPLACE):
        return f"foreign keys of {', '.join(facts.children)} refer to it, and columns must be replaced: drop them first"
    if facts.acting_children and moves_rows:
        return (
            f"moving rows into the archive would change {', '.join(facts.acting_children)} (ON DELETE …): "
            "drop these foreign keys first"
        )
    return None
