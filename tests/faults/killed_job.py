"""The main job as a process of its own that is killed at one of its writes, or after some seconds.

    python -m tests.faults.killed_job LOG AT -- <arguments of the main job>

LOG gets a line for each write that a store, source or ledger is about to be asked for, `number store: what`. AT is the
number of the write before which the process gets SIGKILL (0: never), or `2.5s`, so long after the first write.
The product knows nothing of this: what is wrapped are its doors to the servers.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

READING = re.compile(r"(SELECT|SHOW|SET|WITH|EXPLAIN|BEGIN|LOCK|SAVEPOINT|RELEASE|DESCRIBE)\b", re.IGNORECASE)
READING_S3 = re.compile(r"(Get|List|Head)")
NAMED = re.compile(r"\b[\w\"`.]*(?:_stg|staging)[\w\"`.]*")
_WORDS = 4


class Writes:
    """Counts the process's writes, and ends it where it should."""

    def __init__(self, log: str, at: str) -> None:
        self._log = Path(log).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - until the process ends
        self._number = 0
        self._last = 0 if at.endswith("s") else int(at)
        self._seconds = float(at[:-1]) if at.endswith("s") else None
        self._guard = threading.Lock()

    def reach(self, store: str, what: str) -> None:
        with self._guard:
            self._number += 1
            self._log.write(f"{self._number} {store}: {what}\n")
            if self._number == self._last:
                kill()
            if self._number == 1 and self._seconds is not None:
                threading.Thread(target=self._kill_later, args=(self._seconds,), daemon=True).start()

    def _kill_later(self, seconds: float) -> None:
        time.sleep(seconds)
        kill()


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # until it has come


def title(statement: object) -> str:
    """The first words behind the comments, with names that every run makes anew taken out."""
    text = statement.decode() if isinstance(statement, bytes) else str(statement)
    told = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return NAMED.sub("…", " ".join(told.split()[:_WORDS]))


def watch_postgresql(writes: Writes) -> None:
    from etl.postgresql import silence

    watching, commit = silence._watching, silence.WatchedConnection.commit

    def counting(factory: type[Any]) -> type[Any]:
        class Counting(watching(factory)):  # type: ignore[misc]
            def execute(self, query: Any, *values: Any, **named: Any) -> Any:
                if not READING.match(title(query)):
                    self.connection.has_written = True
                    writes.reach("postgresql", title(query))
                return super().execute(query, *values, **named)

            def copy_expert(self, statement: Any, *arguments: Any, **named: Any) -> Any:
                if "TO STDOUT" not in str(statement):
                    self.connection.has_written = True
                    writes.reach("postgresql", title(statement))
                return super().copy_expert(statement, *arguments, **named)

        return Counting

    def committing(self: Any) -> None:
        if getattr(self, "has_written", False):
            self.has_written = False
            writes.reach("postgresql", "COMMIT")
        commit(self)

    silence._watching = counting  # type: ignore[assignment]
    silence.WatchedConnection.commit = committing  # type: ignore[method-assign]


def watch_clickhouse(writes: Writes) -> None:
    from etl.clickhouse.door import ClickHouseDoor

    before(ClickHouseDoor, "_post", writes, "clickhouse", lambda body, extra, parameters, statement: statement, READING)


def watch_lake(writes: Writes) -> None:
    from botocore.endpoint import Endpoint

    from etl.load.s3.driver.snapshot import Snapshot

    before(Endpoint, "make_request", writes, "s3", lambda model, request: model.name, READING_S3)
    before(Snapshot, "commit", writes, "s3", lambda *_: "commit of Delta")


def before(
    owner: type, name: str, writes: Writes, store: str, said: Callable[..., str], reading: re.Pattern[str] | None = None
) -> None:
    method = getattr(owner, name)

    def reached(self: Any, *arguments: Any, **named: Any) -> Any:
        what = title(said(*arguments, **named))
        if reading is None or not reading.match(what):
            writes.reach(store, what)
        return method(self, *arguments, **named)

    setattr(owner, name, reached)


def main() -> int:
    log, at, _, *arguments = sys.argv[1:]
    from etl.spark.start import begin_jvm

    begin_jvm()
    writes = Writes(log, at)
    watch_postgresql(writes)
    watch_clickhouse(writes)
    watch_lake(writes)
    from etl.pipeline.job import main as run

    return run(arguments, os.environ)


if __name__ == "__main__":
    sys.exit(main())
