"""What stands in the target against what was to be loaded, before the transaction commits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from etl.errors import ReconciliationError, ValidationError
from etl.load.postgresql.publication.table import Publication, Written
from etl.load.postgresql.target.contract import Fit, fit
from etl.model import Checksums, Column
from etl.postgresql_types import base_type
from etl.statements.checksum import differences, is_summed_by_postgresql, postgresql_checksum_columns
from etl.statements.postgresql import writing
from etl.statements.types import spark_type_of

_CHECKED_TEXT = ("text", "character varying")
_INTEGERS = ("smallint", "integer", "bigint")


def verify(cursor: Any, publication: Publication, written: Written, accepted: int, rejected: int) -> None:
    """Counts always; checksums where the pipeline brought them. Raises ValidationError: nothing is published then."""
    _verify_counts(publication, written, accepted)
    if accepted == 0:
        return
    expected = publication.facts.checksums if publication.facts else None
    is_whole = not rejected and not written.skipped
    if written.unchanged == accepted:
        # every row was compared with the stored one already; left is whether what arrived is what was sent
        if expected is not None:
            _verify_staging(cursor, publication, expected)
        return
    if expected is not None and is_whole and (written.filled_empty or publication.write.match):
        _verify_checksums(cursor, publication, written, expected)
    elif publication.write.match:
        _verify_rows(cursor, publication, written, accepted)
    if expected is not None and not is_whole:
        _verify_staging(cursor, publication, expected)


def _verify_counts(publication: Publication, written: Written, accepted: int) -> None:
    done = written.inserted + written.updated + written.unchanged + written.skipped
    if done != accepted or min(written.inserted, written.updated, written.unchanged, written.skipped) < 0:
        raise ReconciliationError(
            f"{publication.write.target}: expected {accepted} rows published, found {written.inserted} inserted, "
            f"{written.updated} updated, {written.unchanged} unchanged, {written.skipped} skipped",
            table=publication.config.table_name,
        )


def _verify_checksums(cursor: Any, publication: Publication, written: Written, expected: Checksums) -> None:
    """A target that was empty is summed as it stands; otherwise the rows of this load are, found by key. Values whose
    text PostgreSQL makes anew (jsonb, intervals) have no sum in the frame: they are compared with staging's, in the
    same statement where that finds the rows by key anyway."""
    write = publication.write
    columns = comparable_columns(publication)
    checksums = postgresql_checksum_columns(columns, "t")
    summed = {column.name for column in columns if is_summed_by_postgresql(column)}
    unsummed = tuple(name for name in write.settable if name not in summed) if write.match else ()
    is_one_look = not written.filled_empty and not writing.is_wide(write)
    compared = unsummed if is_one_look else ()
    cursor.execute(writing.checksum_target(write, tuple(checksums.values()), compared, whole=written.filled_empty))
    present, *found = cursor.fetchone()
    sums = dict(zip(checksums, found, strict=False))
    _compare(publication, expected, Checksums(present, sums), str(write.target))
    if compared:
        _require_rows(publication, written, expected.rows, present, differing=found[-1])
    elif unsummed:
        _verify_rows(cursor, publication, written, expected.rows, unsummed)


def _verify_staging(cursor: Any, publication: Publication, expected: Checksums) -> None:
    """Rows were refused: what arrived is summed, and `_verify_rows` compares what was accepted row by row."""
    write = publication.write
    columns = _as_staged(publication)
    checksums = postgresql_checksum_columns(columns, "s")
    cursor.execute(writing.checksum_staging(write, tuple(checksums.values())))
    _compare(publication, expected, _checksums(cursor.fetchone(), tuple(checksums)), str(write.staging))


def _verify_rows(
    cursor: Any, publication: Publication, written: Written, accepted: int, names: tuple[str, ...] = ()
) -> None:
    """Staged rows against stored ones, byte by byte; in these columns, or all."""
    write = publication.write
    cursor.execute(writing.count_published(write, names or write.settable))
    _require_rows(publication, written, accepted, *cursor.fetchone())


def _require_rows(publication: Publication, written: Written, accepted: int, present: int, differing: int) -> None:
    write = publication.write
    if present != accepted or differing > written.skipped:
        raise ValidationError(
            f"{write.target}: expected {accepted} rows of this load, found {present}, of which {differing} differ "
            f"({written.skipped} were skipped); a trigger or rule of the target may change rows. Nothing was published",
            table=publication.config.table_name,
        )


def comparable_columns(publication: Publication) -> list[Column]:
    """Columns whose checksum means the same in the frame and in the target's type."""
    checked = set(publication.agreement.checked)
    return [
        column
        for column in publication.agreement.written
        if column.name not in checked and _is_comparable(column, publication.write.column(column.name).type)
    ]


def _as_staged(publication: Publication) -> list[Column]:
    """The columns as they stand in staging: what travels as text stands there as it was sent, whatever its type is."""
    carriers = {column.name: column.carrier for column in publication.write.columns}
    return [
        replace(column, postgresql_type=carriers[column.name])
        for column in publication.agreement.written
        if column.spark_type == spark_type_of(carriers[column.name]) or column.postgresql_type == carriers[column.name]
    ]


def _is_comparable(column: Column, target_type: str) -> bool:
    if fit(column.postgresql_type, target_type) is Fit.SAME:
        return True
    both = (base_type(column.postgresql_type), base_type(target_type))
    return all(kind in _CHECKED_TEXT for kind in both) or all(kind in _INTEGERS for kind in both)


def _checksums(row: tuple[Any, ...], names: tuple[str, ...]) -> Checksums:
    return Checksums(rows=row[0], columns=dict(zip(names, row[1:], strict=True)))


def _compare(publication: Publication, expected: Checksums, found: Checksums, where: str) -> None:
    faults = differences(expected, found)
    if faults:
        raise ValidationError(
            f"{where} does not hold what was loaded: {'; '.join(faults)}. Nothing was published",
            table=publication.config.table_name,
        )
