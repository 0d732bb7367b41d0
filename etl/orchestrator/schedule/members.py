"""Who runs with whom: the jobs, on whom they depend, and which have a schedule of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from psycopg2.extras import RealDictCursor

from etl.orchestrator.database.queries import statement


@dataclass(frozen=True)
class Members:
    """`scheduled` have an active schedule, paused or not."""

    jobs: frozenset[str]
    children: Mapping[str, frozenset[str]]
    parents: Mapping[str, frozenset[str]]
    scheduled: frozenset[str]
    disabled: frozenset[str]

    def following(self, slug: str) -> set[str]:
        """The descendants that run when this job ticks: those without a schedule of their own. One that has a schedule
        follows that, and so does what depends on this job by it alone."""
        return self._reached(slug, self.children, lambda child: child not in self.scheduled)

    def descendants(self, slug: str) -> set[str]:
        return self._reached(slug, self.children, lambda _: True)

    def clocks_of(self, slug: str) -> set[str]:
        """The jobs whose ticks are this one's: itself, or all that it follows."""
        return {slug} if slug in self.scheduled else {each for each in self.scheduled if slug in self.following(each)}

    def clock_of(self, slug: str) -> str | None:
        """The job whose schedule this one goes by: itself, or the nearest ancestor that has one; of several as near the
        first by name."""
        seen, nearest = {slug}, {slug}
        while nearest:
            if found := sorted(nearest & self.scheduled):
                return found[0]
            nearest = {parent for each in nearest for parent in self.parents.get(each, ())} - seen
            seen |= nearest
        return None

    @staticmethod
    def _reached(slug: str, edges: Mapping[str, frozenset[str]], is_wanted: Callable[[str], bool]) -> set[str]:
        reached: set[str] = set()
        waiting = [slug]
        while waiting:
            found = {each for each in edges.get(waiting.pop(), ()) if is_wanted(each)} - reached - {slug}
            reached |= found
            waiting.extend(found)
        return reached


def read_members(cursor: RealDictCursor) -> Members:
    cursor.execute(statement("jobs_that_run"))
    jobs = cursor.fetchall()
    cursor.execute(statement("edges_of_jobs"))
    edges = [(row["parent"], row["child"]) for row in cursor.fetchall()]
    return Members(
        jobs=frozenset(job["slug"] for job in jobs),
        children=_by_first(edges),
        parents=_by_first((child, parent) for parent, child in edges),
        scheduled=frozenset(job["slug"] for job in jobs if job["is_scheduled"]),
        disabled=frozenset(job["slug"] for job in jobs if not job["is_enabled"]),
    )


def _by_first(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for first, second in pairs:
        found[first].add(second)
    return {first: frozenset(seconds) for first, seconds in found.items()}
