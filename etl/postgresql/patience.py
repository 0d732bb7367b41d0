"""How long an answer is waited for, whatever the driver.

A server that keeps its connections and says nothing (its disk hangs, its processes are stopped) ends no statement,
whatever limit it was given, and TCP finds nothing wrong with it.
"""

from __future__ import annotations

GRACE_SECONDS = 30.0
"""How much longer than the server's own limit it is waited: for its error, and the way of that."""


def seconds_for(limit_seconds: float, query: object = "") -> float:
    """`limit_seconds` is what the server lets a statement take: each one of a text that may hold several."""
    statements = 1
    if isinstance(query, str):
        statements += query.count(";")
    elif isinstance(query, bytes):
        statements += query.count(b";")
    return limit_seconds * statements + GRACE_SECONDS


def stands_still(seconds: float) -> str:
    return f"no answer for {seconds:g} s, longer than it lets a statement take: the server stands still"
