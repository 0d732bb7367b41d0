"""The order in which the runs of a cycle are made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import UsageError
from etl.orchestrator.queue.cycles import in_order

NUMBERS = st.integers(0, 20)
EDGES = st.lists(st.tuples(NUMBERS, NUMBERS).filter(lambda edge: edge[0] != edge[1]), max_size=60)


@given(st.permutations(range(21)), EDGES)
def test_each_comes_after_its_parents(slugs: list[int], pairs: list[tuple[int, int]]) -> None:
    edges = [(f"job-{min(pair)}", f"job-{max(pair)}") for pair in pairs]
    ordered = in_order([f"job-{number}" for number in slugs], edges)
    assert sorted(ordered) == sorted(f"job-{number}" for number in slugs)
    assert all(ordered.index(parent) < ordered.index(child) for parent, child in edges)


def test_a_cycle_is_told_with_its_path() -> None:
    with pytest.raises(UsageError, match=r"a → b → a|b → a → b"):
        in_order("abc", [("a", "b"), ("b", "a"), ("b", "c")])
