"""The nearest valid name, for faults: a reader should see at once what was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LISTED = 12
"""How many valid names a fault lists before it says how many there are."""


def suggestion(name: str, valid: Iterable[str], told: str = "valid") -> str:
    """`did you mean 'x'?`, or the valid names where none is near; `told` says what they are."""
    names = list(dict.fromkeys(str(candidate) for candidate in valid))
    by_folded = {candidate.casefold(): candidate for candidate in names}
    close = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {by_folded[close[0]]!r}?"
    if not names:
        return "nothing is valid here"
    shown = ", ".join(sorted(names)[:LISTED])
    return f"{told}: {shown}" + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
