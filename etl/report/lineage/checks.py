"""What the checks of a table found, as assertions about its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions

from etl.config.tables.models import TableConfig, TransformConfig
from etl.config.tables.origins import Origin

_WORDS = {"required": "not_null", "allowed": "accepted_values", "rule": "custom_sql"}
"""OpenLineage's, where it has one for what the ledger calls a rule."""


def check_assertions(
    table: TableConfig, broken: Mapping[str, int], origins: Mapping[str, Origin], *, were_asked: bool
) -> list[assertions.Assertion]:
    """One a rule that rows broke (with how many), and where the rows were read one a rule that all rows kept."""
    rules = [*_rules_of(table.transform)] if were_asked else []
    return [_assertion(rule, broken.get(rule, 0), table, origins) for rule in dict.fromkeys([*rules, *sorted(broken)])]


def _rules_of(transform: TransformConfig) -> Iterable[str]:
    yield from (f"required:{name}" for name in transform.required)
    yield from (f"allowed:{name}" for name in transform.allowed)
    yield from (f"rule:{name}" for name in transform.rules)


def _assertion(rule: str, rows: int, table: TableConfig, origins: Mapping[str, Origin]) -> assertions.Assertion:
    kind, _, rest = rule.partition(":")
    sql = table.transform.rules.get(rest) if kind == "rule" else None
    return assertions.Assertion(
        assertion=_WORDS.get(kind, kind),
        success=rows == 0,
        name=rule,
        column=_column(rest, origins) if kind != "rule" else None,
        severity="warn",  # such rows are left out, the others are loaded
        expected="0",
        actual=str(rows),
        content=sql,
        contentType="expression" if sql else None,
    )


def _column(rest: str, origins: Mapping[str, Origin]) -> str | None:
    """Of the source; None for one that several are made into. `range:s3:amount` names the destination, too."""
    origin = origins.get(rest.rpartition(":")[2])
    return origin.columns[0] if origin is not None and len(origin.columns) == 1 else None
