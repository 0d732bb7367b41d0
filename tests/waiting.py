"""Another session that holds what somebody waits for, until he has said so."""

from __future__ import annotations

import io
import json
import threading
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

        ended = threading.Event()

        def release() -> None:
            # whoever waits without a word is ended by its own limit
            while not told.waits() and not ended.wait(0.1):
                pass
            holder.rollback()

        releasing = threading.Thread(target=release)
        releasing.start()
        try:
            yield pid
        finally:
            ended.set()
            releasing.join()
