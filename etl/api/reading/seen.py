"""What a look at the ledger has seen, as an id that its reader may come back with, to any process and at any time."""

from __future__ import annotations

import re
from dataclasses import dataclass

NOTHING = "0"
"""The id of one who has seen nothing."""
LONGEST_LIST = 200
"""Characters of open transactions that an id names; of more it says only from where on to look again."""
EVENT_ID = rf"^([0-9a-f]{{1,16}}-)?[0-9]{{1,19}}(:[0-9]{{1,19}}:[0-9,]{{0,{LONGEST_LIST}}})?$"
"""Bare numbers are NOTHING, or of a version that had no more."""

_PARTS = re.compile(r"([0-9a-f]{1,16})-([0-9]+):([0-9]+):((?:[0-9]+(?:,[0-9]+)*)?)")


@dataclass(frozen=True)
class Seen:
    """All that `snapshot` (a pg_snapshot) says, of that incarnation of the database: each crash begins another, which
    may have forgotten the last moments of the one before."""

    incarnation: str
    snapshot: str

    @property
    def id(self) -> str:
        xmin, _, open_ones = self.snapshot.split(":")
        told = self.snapshot if len(open_ones) <= LONGEST_LIST else _all_from(int(xmin))
        return f"{self.incarnation}-{told}"


def since(event_id: str, now: Seen) -> str | None:
    """The snapshot from which that reader is to be told what has changed; None where it is everything, and what he
    knows is to be forgotten: he has seen nothing, or it was in another incarnation."""
    parts = _PARTS.fullmatch(event_id)
    if parts is None or parts[1] != now.incarnation:
        return None
    xmin, xmax, open_ones = int(parts[2]), int(parts[3]), [int(each) for each in parts[4].split(",") if each]
    is_sound = 0 < xmin <= xmax and all(xmin <= each < xmax for each in open_ones) and open_ones == sorted(open_ones)
    return event_id.partition("-")[2] if is_sound else None


def earliest(snapshots: list[str]) -> str:
    """Counting from it nothing is missed that is new to any of these; some of it may be known to some."""
    if len(snapshots) == 1:
        return snapshots[0]
    return _all_from(min(int(each.partition(":")[0]) for each in snapshots))


def _all_from(xmin: int) -> str:
    """The snapshot that has seen nothing of this transaction, nor of any after it."""
    return f"{xmin}:{xmin}:"
