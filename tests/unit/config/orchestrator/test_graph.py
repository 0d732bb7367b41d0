"""Parents and circles: whatever is drawn at random, a circle is told with its whole path, and nothing else is."""

from __future__ import annotations

from graphlib import TopologicalSorter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.config.document import Node
from etl.config.orchestrator.graph import graph_faults


def entries(parents: dict[str, list[str]]) -> dict[str, Node]:
    """A job a line, in this order."""
    return {
        slug: Node({"parents": Node(tuple(Node(name, "f", line) for name in named), "f", line)}, "f", line)
        for line, (slug, named) in enumerate(parents.items(), start=1)
    }


def told(parents: dict[str, list[str]]) -> list[str]:
    return sorted(str(fault) for fault in graph_faults(entries(parents)))


def test_a_circle_is_told_where_it_closes() -> None:
    assert told({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"]}) == [
        "f:1: job a: its parents wait for it: a → b → c → a"
    ]


def test_each_circle_is_told() -> None:
    assert told({"a": ["a"], "b": ["c"], "c": ["b", "x"], "d": []}) == [
        "f:1: job a: its parents wait for it: a → a",
        "f:2: job b: its parents wait for it: b → c → b",
        "f:3: job c: unknown parent 'x'; valid: a, b, c, d",
    ]


def test_order_is_no_circle() -> None:
    assert told({"a": [], "b": ["a"], "c": ["a", "b"], "d": ["b", "a", "c"]}) == []


@pytest.mark.parametrize("value", [None, "a", 5, {}])
def test_what_is_no_list_has_no_parents(value: object) -> None:
    node = Node({"parents": Node(value, "f", 1)}, "f", 1)  # type: ignore[arg-type]
    assert list(graph_faults({"a": node})) == []


_NAMES = "abcdef"


@given(st.fixed_dictionaries({name: st.lists(st.sampled_from(_NAMES), unique=True, max_size=3) for name in _NAMES}))
def test_a_path_goes_from_parent_to_child_and_back(parents: dict[str, list[str]]) -> None:
    rest = {slug: set(named) for slug, named in parents.items()}
    for fault in graph_faults(entries(parents)):
        path = fault.message.split(": ")[-1].split(" → ")
        assert path[0] == path[-1] and len(set(path)) == len(path) - 1
        for parent, child in pairwise(path):
            assert parent in parents[child]
        rest[path[0]].remove(path[-2])
    TopologicalSorter(rest).prepare()  # with what was told taken out, it is an order
