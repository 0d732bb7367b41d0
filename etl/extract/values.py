"""What extract hands to the pipeline before a row is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from etl.statements.source.window import Window

__all__ = ["Measurement", "Window"]


@dataclass(frozen=True)
class Measurement:
    """What one window amounts to in the run's snapshot.

    `rows` is None for files, which are not counted before they are read. `fingerprint` is of the window's rows,
    `tail_fingerprint` of those the next run will read again (watermark above `upper_mark` less the overlap; the whole
    table where there is no watermark): a next window whose fingerprint equals it brought nothing new.
    `touched_dates` are the days (UTC) whose partitions an incremental window touches, whole months where a
    destination replaces whole months; empty for the whole table.
    """

    rows: int | None
    fingerprint: str
    tail_fingerprint: str
    upper_mark: str | None = None
    blocks: int = 0
    touched_dates: tuple[date, ...] = ()
    widest_row_bytes: int = 0
    """0 where it is not known: of files."""
    files_read: int | None = None
    """None for tables and for Delta."""
    files_skipped: tuple[str, ...] = ()
    """Files that the source's path matches and that are not read, each with its reason."""
