"""What depends on what: by layers for the eye, around one job as trees, and in graphviz's language."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from etl.orchestrator.command.graph import Graph, Node
from etl.orchestrator.command.marks import LEGEND, mark, style_of
from etl.orchestrator.command.rendering import layer_order

Ties = Callable[[str], tuple[str, ...]]

_COLOURS = {
    "success": "palegreen",
    "failed": "tomato",
    "running": "lightskyblue",
    "skipped": "khaki",
    "cancelled": "plum",
    "queued": "lightgrey",
}


def print_graph(graph: Graph, slug: str | None, console: Console) -> None:
    if not graph.nodes:
        console.print("no jobs")
    elif slug is None:
        _print_layers(graph, console)
    else:
        _print_around(graph, slug, console)
    console.print(Text.assemble(*(part for each in LEGEND for part in each)), soft_wrap=True)


def dot(graph: Graph) -> str:
    """A cluster a layer; what flows, flows to the right."""
    lines = ["digraph jobs {", "  rankdir=LR;", '  node [shape=box, style="rounded,filled", fontname="sans-serif"];']
    for layer in _layers(graph):
        lines.append(f"  subgraph {_quoted(f'cluster_{layer}')} {{")
        lines.append(f"    label={_quoted(layer)};")
        for node in _of_layer(graph, layer):
            lines.append(f"    {_quoted(node.slug)} [fillcolor={_quoted(_COLOURS.get(node.status or '', 'white'))}];")
        lines.append("  }")
    lines += [
        f"  {_quoted(parent)} -> {_quoted(node.slug)};"
        for node in graph.nodes.values()
        for parent in sorted(node.parents)
    ]
    return "\n".join([*lines, "}"])


def _print_layers(graph: Graph, console: Console) -> None:
    for layer in _layers(graph):
        nodes = _of_layer(graph, layer)
        console.print(Text(f"{layer}  {len(nodes)} {'job' if len(nodes) == 1 else 'jobs'}", style="bold"))
        longest = max(len(indent) + len(node.slug) for indent, node, _ in _placed(graph, layer))
        for indent, node, others in _placed(graph, layer):
            line = Text.assemble("  ", indent, mark(node.status), " ", _named(node))
            children = sorted(set(graph.children[node.slug]) - {each.slug for each in nodes})
            arrow, ties = ("←", others) if others else ("→", children)
            if ties:
                line.append(" " * (longest - len(indent) - len(node.slug)))
                line.append(_fitting(arrow, ties, console.width - line.cell_len - 1), style="dim")
            console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        console.print()


def _placed(graph: Graph, layer: str) -> Iterator[tuple[str, Node, list[str]]]:
    """Each job once: below the last of its parents of the layer, with its other parents."""
    nodes = {node.slug: node for node in _of_layer(graph, layer)}
    above = {slug: _last_parent(graph, node, nodes) for slug, node in nodes.items()}

    def below(parent: str | None, guide: str) -> Iterator[tuple[str, Node, list[str]]]:
        placed = [node for slug, node in nodes.items() if above[slug] == parent]
        for node in placed:
            is_last = node is placed[-1]
            corner, further = ("", "") if parent is None else ("└ ", "  ") if is_last else ("├ ", "│ ")
            yield guide + corner, node, sorted(each for each in node.parents if each != parent)
            yield from below(node.slug, guide + further)

    yield from below(None, "")


def _last_parent(graph: Graph, node: Node, of_layer: dict[str, Node]) -> str | None:
    parents = [parent for parent in node.parents if parent in of_layer]
    return max(parents, key=lambda parent: (graph.depths[parent], parent), default=None)


def _print_around(graph: Graph, slug: str, console: Console) -> None:
    node = graph.nodes[slug]
    console.print(Text("it depends on", style="bold"))
    console.print(_tree(graph, node, lambda each: graph.nodes[each].parents) if node.parents else "  nothing")
    console.print()
    console.print(Text("on it depend", style="bold"))
    console.print(_tree(graph, node, lambda each: graph.children[each]) if graph.children[slug] else "  none")
    console.print()


def _tree(graph: Graph, root: Node, ties: Ties) -> Tree:
    """What was drawn already is named again, and not drawn again."""
    seen: set[str] = set()

    def grow(tree: Tree, slug: str) -> None:
        for each in sorted(ties(slug)):
            is_known = each in seen and bool(ties(each))
            branch = tree.add(_leaf(graph.nodes[each], " …" if is_known else ""))
            if not is_known:
                seen.add(each)
                grow(branch, each)

    tree = Tree(_leaf(root), guide_style="dim")
    grow(tree, root.slug)
    return tree


def _leaf(node: Node, more: str = "") -> Text:
    return Text.assemble(mark(node.status), " ", _named(node), (f"  {node.layer}{more}", "dim"))


def _named(node: Node) -> Text:
    disabled = "" if node.is_enabled else " (disabled)"
    return Text(f"{node.slug}{disabled}", style=style_of(node.status) if node.is_enabled else "dim")


def _fitting(arrow: str, names: list[str], width: int) -> str:
    """`  ← a, b, +3`: as many as there is room for."""
    for shown in range(len(names), 0, -1):
        rest = [f"+{len(names) - shown}"] if shown < len(names) else []
        text = f"  {arrow} " + ", ".join([*names[:shown], *rest])
        if len(text) <= width:
            return text
    return f"  {arrow} {len(names)}"


def _layers(graph: Graph) -> list[str]:
    return sorted({node.layer for node in graph.nodes.values()}, key=layer_order)


def _of_layer(graph: Graph, layer: str) -> list[Node]:
    return sorted((node for node in graph.nodes.values() if node.layer == layer), key=lambda node: node.slug)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
