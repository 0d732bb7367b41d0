"""The one transaction that publishes a table, or several that refer to one another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.errors import ContentionError, StoreError
from etl.load.base import LoaderConfig
from etl.load.postgresql.door import transaction
from etl.load.postgresql.modes import write_rows
from etl.load.postgresql.publication import rejects as rejecting
from etl.load.postgresql.publication import table as publishing
from etl.load.postgresql.publication import verification
from etl.load.postgresql.publication.table import Publication, Written
from etl.load.postgresql.publication.vanished import Gone, Vanished
from etl.load.postgresql.target import references, sequences, violations
from etl.load.postgresql.target.catalog import exists
from etl.load.postgresql.target.creation import keys_of
from etl.load.postgresql.transfer.run_table import analyze, keep_winners, postgresql_of
from etl.model import Destination, LoadResult
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import (
    CHECK_VIOLATION,
    EXCLUSION_VIOLATION,
    FOREIGN_KEY_VIOLATION,
    UNIQUE_VIOLATION,
)
from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import Table, lock_key
from etl.statements.postgresql.run_table import drop_staging

_MEMORY = """
SELECT set_config(name, greatest(pg_size_bytes(current_setting(name)), least_bytes) / 1024 || 'kB', true)
FROM (VALUES ('work_mem', 64 << 20), ('maintenance_work_mem', 256 << 20)) AS wanted (name, least_bytes)
"""
"""For this transaction only: sorts and joins of a whole load would otherwise go through temporary files."""


_CONTENDED = {FOREIGN_KEY_VIOLATION, UNIQUE_VIOLATION, EXCLUSION_VIOLATION}


@dataclass(frozen=True)
class Outcome:
    results: tuple[LoadResult, ...]
    late_children: tuple[Table, ...] = ()
    """Tables that got a foreign key to a parent created here and still have to be looked at."""


def publish_group(
    publications: Sequence[Publication], config: LoaderConfig, started: float, computed: list[Outcome]
) -> Outcome:
    """Everything or nothing: targets, rows, rejects and the ledger's entries; the staging tables go with it.

    What was worked out stands in `computed` before COMMIT is sent, for the caller to use should no answer come.
    """
    settings = config.settings
    names = ", ".join(str(publication.write.target) for publication in publications)
    try:
        with transaction(
            postgresql_of(settings), f"publish {names}", lock_timeout_seconds=settings.run.lock_timeout_seconds
        ) as cursor:
            cursor.execute(_MEMORY)
            lock_targets(cursor, publications)
            for publication in publications:
                for filled in publication.filled:
                    keep_winners(cursor, filled.write.staging, filled.staged)
                    analyze(cursor, filled.write, filled.staged.rows)
            computed.append(publish(cursor, publications, config, started))
        return computed[-1]
    except StoreError as error:
        if sqlstate(error) in _CONTENDED:
            raise ContentionError(
                f"{error.message}; another writer changed the table meanwhile, or the constraint is one that the "
                "loader cannot look into (over an expression, or with a WHERE)"
            ) from error.__cause__
        if sqlstate(error) == CHECK_VIOLATION:
            raise StoreError(
                f"{error.message}; the loader finds such rows beforehand only where a constraint looks at nothing but "
                "columns that the load brings and no trigger changes. Nothing was published; mend the rows, the "
                "constraint, or the partitions of the target",
                statement=error.statement,
            ) from error.__cause__
        raise


def lock_targets(cursor: Any, publications: Sequence[Publication]) -> None:
    """One writer of ours per target, always in the same order; ends with the transaction."""
    for publication in sorted(publications, key=lambda publication: publication.write.target):
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(publication.write.target),))
        if publication.is_new and exists(cursor, publication.write.target):
            raise ContentionError(f"{publication.write.target} was created meanwhile; it is tried again")


def publish(cursor: Any, publications: Sequence[Publication], config: LoaderConfig, started: float) -> Outcome:
    """The part that replayed rows share with staged ones."""
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    for publication in publications:
        violations.mark_misfits(cursor, publication)
        if publication.are_keys_checked:
            publishing.check_loose_keys(cursor, publication)
        else:
            publishing.check_keys(cursor, publication)
    catalog = references.TargetCatalog(cursor, publications)
    vanished = Vanished(cursor, publications)
    vanished.let_go()
    links = {p.write.target: references.references_of(p, catalog) for p in publications}
    violations.mark_violations(cursor, publications, links)
    together = frozenset(publication.write.target for publication in publications)
    counted = [_write(cursor, publication, together) for publication in publications]
    # rows that this load has changed may have let others go
    vanished.let_go()
    for publication in publications:
        sequences.advance_sequences(cursor, publication)
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    _build_keys(cursor, publications)
    if config.validate:
        for publication, found in zip(publications, counted, strict=True):
            verification.verify(cursor, publication, found.written, found.accepted, found.rejected)
    # last: they lock the parents against writers until the end of the transaction
    references.create_links(cursor, publications, catalog)
    late = references.create_late_links(cursor, publications, catalog, config)
    results = [
        _conclude(cursor, p, w, vanished.of(p), config, started) for p, w in zip(publications, counted, strict=True)
    ]
    return Outcome(tuple(results), tuple(late))


@dataclass(frozen=True)
class _Counted:
    written: Written
    accepted: int
    rejected: int


def _write(cursor: Any, publication: Publication, together: frozenset[Table]) -> _Counted:
    cursor.execute(writing.count_outcomes(publication.write))
    accepted, rejected = cursor.fetchone()
    if rejected and publication.facts is not None and publication.staged is not None:
        cursor.execute(writing.count_refused(publication.write))
        rules = cursor.fetchall()
        refused = sum(rows for _, rows, _ in rules)
        publication.facts.refuse_too_many_rejected(publication.config, refused, lambda: rules)
    return _Counted(write_rows(cursor, publication, accepted, together), accepted, rejected)


def _build_keys(cursor: Any, publications: Sequence[Publication]) -> None:
    for publication in publications:
        if publication.is_new:
            for statement in keys_of(publication.design):
                cursor.execute(statement)


def _conclude(
    cursor: Any, publication: Publication, counted: _Counted, gone: Gone, config: LoaderConfig, started: float
) -> LoadResult:
    written = counted.written
    if publication.staged is not None:
        rejecting.keep_rejects(cursor, publication, config.run_id, counted.rejected)
    result = LoadResult(
        table_name=publication.config.table_name,
        destination=Destination.POSTGRESQL,
        target=str(publication.write.target),
        mode=publication.config.mode,
        rows_in=counted.accepted + counted.rejected,
        rows_inserted=written.inserted,
        rows_updated=written.updated,
        rows_unchanged=written.unchanged,
        rows_skipped=written.skipped,
        rows_rejected=counted.rejected,
        rows_deleted=written.deleted + gone.deleted,
        rows_kept=gone.kept,
        bytes_written=publication.staged.bytes if publication.staged else 0,
        seconds=time.monotonic() - started,
        notes=gone.notes,
    )
    if publication.staged is not None and config.record is not None:
        config.record(cursor, result)
    for filled in publication.filled:
        cursor.execute(drop_staging(filled.write.staging))
    return result
