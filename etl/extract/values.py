"""What extract hands to the pipeline before a row is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from etl.statements.source.transactions import Transactions
from etl.statements.source.window import Window

__all__ = ["Measurement", "Transactions", "Unseen", "Window"]


@dataclass(frozen=True)
class Unseen:
    """What of a source a kept snapshot had not seen, whatever watermark it has: the rows of these `transactions` (None:
    no row). `lost` says why the snapshot tells nothing of the source as it is now: then all of it is unseen."""

    transactions: Transactions | None = None
    lost: str = ""


@dataclass(frozen=True)
class Measurement:
    """What one window amounts to in the run's snapshot.

    `rows` is None for files, which are not counted before they are read. `fingerprint` is of the window's rows,
    `tail_fingerprint` of those the next run will read again (watermark above `upper_mark` less the overlap, and where
    transactions are followed those that some of the open ones may have written; the whole table where there is no
    watermark): a next window whose fingerprint equals it brought nothing new. `snapshot` is what of the source was
    visible; None where its transactions are not followed.
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
    snapshot: str | None = None
    files_read: int | None = None
    """None for tables and for Delta."""
    files_skipped: tuple[str, ...] = ()
    """Files that the source's path matches and that are not read, each with its reason."""
