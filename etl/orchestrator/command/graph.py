"""Which job depends on which, with how each one's latest run ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from etl.orchestrator.database.database import OrchestratorDatabase


@dataclass(frozen=True)
class Node:
    slug: str
    layer: str
    parents: tuple[str, ...]
    tags: tuple[str, ...] = ()
    status: str | None = None
    """Of its latest run; None: it never had one."""
    is_enabled: bool = True


@dataclass(frozen=True)
class Graph:
    nodes: Mapping[str, Node]

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {slug: [] for slug in self.nodes}
        for node in self.nodes.values():
            for parent in node.parents:
                found[parent].append(node.slug)
        return {slug: tuple(sorted(children)) for slug, children in found.items()}

    @cached_property
    def depths(self) -> dict[str, int]:
        """How many jobs must run one after another before it."""
        depths: dict[str, int] = {}

        def depth(slug: str) -> int:
            if slug not in depths:
                depths[slug] = 0
                depths[slug] = 1 + max(map(depth, self.nodes[slug].parents), default=-1)
            return depths[slug]

        for slug in self.nodes:
            depth(slug)
        return depths

    def ancestors(self, slug: str) -> set[str]:
        return self._reached(slug, {each.slug: each.parents for each in self.nodes.values()})

    def descendants(self, slug: str) -> set[str]:
        return self._reached(slug, self.children)

    def around(self, slug: str) -> Graph:
        return self.only({slug} | self.ancestors(slug) | self.descendants(slug))

    def only(self, slugs: Iterable[str]) -> Graph:
        """These jobs, and what stands between them."""
        kept = set(slugs)
        return Graph(
            {
                slug: Node(**{**vars(node), "parents": tuple(each for each in node.parents if each in kept)})
                for slug, node in self.nodes.items()
                if slug in kept
            }
        )

    def ties(self, slug: str) -> dict[str, Any]:
        node = self.nodes[slug]
        return {"tags": node.tags, "parents": node.parents, "children": self.children[slug]}

    @property
    def json(self) -> dict[str, Any]:
        return {
            "jobs": [
                {"slug": node.slug, "layer": node.layer, "status": node.status, "is_enabled": node.is_enabled}
                for node in self.nodes.values()
            ],
            "dependencies": [
                {"parent": parent, "child": node.slug} for node in self.nodes.values() for parent in node.parents
            ],
        }

    @staticmethod
    def _reached(start: str, ties: Mapping[str, tuple[str, ...]]) -> set[str]:
        found: set[str] = set()
        to_see = list(ties[start])
        while to_see:
            slug = to_see.pop()
            if slug not in found:
                found.add(slug)
                to_see.extend(ties[slug])
        return found


def graph_of(database: OrchestratorDatabase) -> Graph:
    status = {row["slug"]: row["status"] for row in database.at_once("state_of_jobs")}
    return Graph(
        {
            row["slug"]: Node(
                row["slug"],
                row["layer"],
                tuple(row["parents"]),
                tuple(row["tags"]),
                status.get(row["slug"]),
                row["is_enabled"],
            )
            for row in database.at_once("job_ties")
        }
    )
