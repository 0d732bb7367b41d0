"""What the queries of dashboards and alert rules ask for; one that is not PromQL raises."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client import Metric

Selector = tuple[str, dict[str, str | None]]
"""A metric, and the labels it is chosen by; None: by no single value."""


def dashboard_queries(dashboard: Path, variables: Mapping[str, str]) -> Iterator[str]:
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in variables.items():
                query = query.replace(variable, value)
            yield query


def alert_rules(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def missing(query: str, scraped: Iterable[Metric]) -> list[Selector]:
    """The selectors of a query that choose no series of those."""
    series = [(sample.name, sample.labels) for metric in scraped for sample in metric.samples]
    wanted = selectors(query)
    assert wanted, f"{query} asks for no series"
    return [each for each in wanted if not any(_chooses(each, *found) for found in series)]


def selectors(query: str) -> list[Selector]:
    found: list[Selector] = []

    def visit(expression: Any) -> bool:
        if isinstance(expression, promql_parser.VectorSelector):
            matchers = expression.matchers.matchers
            is_equal = promql_parser.MatchOp.Equal
            found.append((str(expression.name), {m.name: m.value if m.op == is_equal else None for m in matchers}))
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def _chooses(selector: Selector, name: str, labels: Mapping[str, str]) -> bool:
    wanted, chosen = selector
    return name == wanted and all(label in labels and value in (None, labels[label]) for label, value in chosen.items())
