"""What a command's exit code means, in every tool alike."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    """All of it; for a load also where nothing was left to do."""
    FAILED = 1
    """Something failed; the rest was done."""
    USAGE = 2
    """Bad use or configuration; nothing was touched."""
    NOT_UP = 3
    """`stack status` alone: a server is down."""
    NOT_YET = 75
    """Nothing was begun, for a reason that passes: the same again later (sysexits' EX_TEMPFAIL)."""
    INTERRUPTED = 130
    """Ended by Ctrl-C; what was stored stays."""
    TERMINATED = 143
    """Likewise by SIGTERM."""
