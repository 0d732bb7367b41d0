"""Another session that holds what somebody waits for, until he has said so."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

HOLDER = "nightly dump"


class Telling(io.StringIO):
    """Standard error in lines of JSON, that another thread reads meanwhile."""

    def waits(self) -> list[dict[str, Any]]:
        lines = [line for line in self.getvalue().splitlines(keepends=True) if line.endswith("}\n")]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line["event"] == "waiting for a lock"]


@contextmanager
def held_until_told(url: str, statement: str, told: Telling) -> Iterator[list[int]]:
    """Another session's transaction, which ends when the run has said that it waits for it."""
    pid: list[int] = []
    with closing(psycopg2.connect(url, application_name=HOLDER)) as holder:
        pid.append(holder.info.backend_pid)
        with holder.cursor() as cursor:
            cursor.execute(statement)

        def release() -> None:
            deadline = time.monotonic() + 45
            while not told.waits() and time.monotonic() < deadline:
                time.sleep(0.1)
            holder.rollback()

        releasing = threading.Thread(target=release)
        releasing.start()
        try:
            yield pid
        finally:
            releasing.join()
