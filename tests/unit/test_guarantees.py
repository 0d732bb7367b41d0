"""docs/guarantees.md names the tests that show what it promises: each is there, and where it says it is."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from etl.project import PROJECT_DIR

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`(\*?)")
TESTS = NAMED.findall((PROJECT_DIR / "docs" / "guarantees.md").read_text(encoding="utf-8"))


@cache
def slow_ones(file: str) -> dict[str, bool]:
    """The module's tests, and whether each is slow."""
    tree = ast.parse((PROJECT_DIR / file).read_text(encoding="utf-8"))
    whole = any(_marks(node) for node in tree.body if isinstance(node, ast.Assign) and _is_pytestmark(node))
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {test.name: whole or any(map(_is_slow, test.decorator_list)) for test in tests}


def _is_pytestmark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _marks(node: ast.AST) -> bool:
    return any(map(_is_slow, ast.walk(node)))


def _is_slow(node: ast.AST) -> bool:
    """`pytest.mark.slow` itself: one of a test's cases may be slow alone."""
    return isinstance(node, ast.Attribute) and node.attr == "slow"


def test_there_are_some() -> None:
    assert len(TESTS) > 30


@pytest.mark.parametrize(("file", "test", "star"), TESTS, ids=[test for _, test, _ in TESTS])
def test_a_promise_is_shown_by_the_test_that_it_names(file: str, test: str, star: str) -> None:
    known = slow_ones(file)
    assert test in known
    assert known[test] == bool(star), "a star stands for what `make proof` alone runs"
