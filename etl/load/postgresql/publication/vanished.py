"""Stored rows that are gone from the source: marked, or deleted as soon as no other row refers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.catalog import TargetTable
from etl.load.vanished import refuse_too_many_vanished
from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import Table


@dataclass(frozen=True)
class Gone:
    """Of one target: rows deleted or marked, rows that other rows still need, and whose they are."""

    deleted: int = 0
    kept: int = 0
    referring: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.kept:
            return ()
        return (
            f"{self.kept} rows that are gone from the source stay, since rows of {', '.join(self.referring)} refer to "
            "them; the next run tries again",
        )


class Vanished:
    """The rows that a whole reading of the source no longer holds, or that the source calls deleted, of all tables of
    one transaction."""

    def __init__(self, cursor: Any, publications: Sequence[Publication]) -> None:
        """Raises VanishedRowsError where they are too many. Counts once: nothing that is staged is deleted here."""
        self._cursor = cursor
        self._left: dict[Table, int] = {}
        self._deleted: dict[Table, int] = {}
        self._publications = [p for p in publications if (p.deletes_gone or p.marks_gone) and not p.is_new]
        for publication in self._publications:
            write = publication.finds_gone
            cursor.execute(writing.count_vanished(write, unmarked=publication.marks_gone))
            vanished, stored = cursor.fetchone()
            refuse_too_many_vanished(publication.config, vanished, stored, str(write.target))
            self._left[write.target] = vanished

    def let_go(self) -> None:
        """Again and again: a row that goes may have been the last to refer to another."""
        while sum([self._let_go(publication) for publication in self._publications]):
            pass

    def of(self, publication: Publication) -> Gone:
        target = publication.write.target
        referring = sorted({str(child) for child, _, _ in references_to(publication.target)})
        return Gone(self._deleted.get(target, 0), self._left.get(target, 0), tuple(referring))

    def _let_go(self, publication: Publication) -> int:
        target = publication.write.target
        if not self._left[target]:
            return 0
        self._cursor.execute(let_go(publication))
        deleted = int(self._cursor.rowcount)
        self._left[target] -= deleted
        self._deleted[target] = self._deleted.get(target, 0) + deleted
        return deleted


def let_go(publication: Publication) -> str:
    """The statement that marks them, or deletes those that no other row refers to."""
    if publication.marks_gone and publication.started_at is not None:
        return writing.mark_vanished(publication.finds_gone, publication.started_at)
    return writing.delete_vanished(publication.finds_gone, references_to(publication.target))


def references_to(target: TargetTable) -> list[tuple[Table, tuple[str, ...], tuple[str, ...]]]:
    """Each foreign key that points at the table, its own included: the child, its columns, and the table's."""
    own = [key for key in target.foreign_keys if key.parent == target.table]
    return [(key.child, key.columns, key.parent_columns) for key in (*own, *target.referenced_by)]
