"""Databases of a test's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg2.errors

PATIENCE_SECONDS = 60


def drop_database(execute: Callable[[str], Any], name: str) -> None:
    """With whoever is still connected, but for the server's own vacuum, which may not be ended and soon ends itself."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ObjectInUse):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return
