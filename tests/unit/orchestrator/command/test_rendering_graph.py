"""The graph on terminals of several widths: each job once, below what it needs, and never wider than the screen."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from etl.orchestrator.command.graph import Graph, Node
from etl.orchestrator.command.rendering_graph import dot, print_graph

BRONZE = tuple(f"bronze_{n:02d}" for n in range(12))
GRAPH = Graph(
    {
        **{slug: Node(slug, "bronze", ()) for slug in BRONZE},
        "silver_all": Node("silver_all", "silver", BRONZE, status="failed"),
        "silver_more": Node("silver_more", "silver", ("silver_all",), status="skipped", is_enabled=False),
        "gold_one": Node("gold_one", "gold", ("bronze_00", "silver_more")),
    }
)


def drawn(graph: Graph, slug: str | None, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    print_graph(graph, slug, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 56, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    *lines, legend = drawn(GRAPH, None, width)
    assert max(len(line) for line in lines) <= width
    assert "● running" in legend


def test_parents_are_named_as_far_as_there_is_room() -> None:
    assert any(line.endswith("← bronze_00, bronze_01, bronze_02, +9") for line in drawn(GRAPH, None, 60))
    assert any(line.endswith(", ".join(BRONZE)) for line in drawn(GRAPH, None, 200))


def test_a_job_stands_below_its_parent_of_the_layer_with_its_state() -> None:
    lines = [line.rstrip() for line in drawn(GRAPH, None, 80)]
    above = next(n for n, line in enumerate(lines) if line.startswith("  ✗ silver_all"))
    assert lines[above + 1] == "  └ » silver_more (disabled)  → gold_one"


def test_layers_stand_in_the_order_of_the_flow() -> None:
    headings = [line.split()[0] for line in drawn(GRAPH, None, 80) if line.endswith((" job", " jobs"))]
    assert headings == ["bronze", "silver", "gold"]


def test_around_a_job_what_was_drawn_is_named_and_not_drawn_again() -> None:
    diamond = Graph(
        {
            "a": Node("a", "bronze", ()),
            "b": Node("b", "silver", ("a",)),
            "c": Node("c", "silver", ("b",)),
            "d": Node("d", "gold", ("b", "c")),
        }
    )
    lines = drawn(diamond, "d", 80)
    assert [line.split()[-2:] for line in lines[1:6]] == [
        ["d", "gold"],
        ["b", "silver"],
        ["a", "bronze"],
        ["c", "silver"],
        ["silver", "…"],
    ]
    assert lines[-2] == ""
    assert "  none" in lines


def test_names_are_quoted_for_graphviz() -> None:
    drawn = dot(Graph({"a": Node("a", 'lay"er', ())}))
    assert 'subgraph "cluster_lay\\"er" {' in drawn


def test_depths_and_reach() -> None:
    assert GRAPH.depths["gold_one"] == 3
    assert GRAPH.descendants("bronze_05") == {"silver_all", "silver_more", "gold_one"}
    assert GRAPH.ancestors("silver_more") == {*BRONZE, "silver_all"}
    assert set(GRAPH.around("silver_all").nodes) == set(GRAPH.nodes)
    assert GRAPH.only({"gold_one", "bronze_00"}).nodes["gold_one"].parents == ("bronze_00",)
