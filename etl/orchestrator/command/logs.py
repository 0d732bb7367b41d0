"""What a run's process wrote, piece by piece; followed while it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from etl.command.edge import say
from etl.errors import UsageError
from etl.orchestrator.command.finding import find_run
from etl.orchestrator.command.looking import looks
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.values import RunStatus

INTERVAL_SECONDS = 0.5


@dataclass
class Output:
    """Of one attempt; None: of the latest, and of those that follow it."""

    database: OrchestratorDatabase
    run_id: int
    attempt: int | None
    only_stderr: bool = False
    _seen: tuple[int, int] = field(default=(0, -1), init=False)

    def pieces(self) -> list[dict[str, Any]]:
        """Those that have come since the last call."""
        found: list[dict[str, Any]] = []
        seen = self._seen
        for attempt in self._attempts():
            after = seen[1] if attempt == seen[0] else -1
            values = {"run_id": self.run_id, "attempt": attempt, "after": after}
            pieces = self.database.at_once("output_of_run", values)
            if pieces:
                seen = (attempt, pieces[-1]["piece"])
            found += pieces
        self._seen = seen  # not before all is here: a server that goes away meanwhile is asked for all of it again
        return [piece for piece in found if not self.only_stderr or piece["stream"] == "stderr"]

    def _attempts(self) -> list[int]:
        written = self.attempts()
        if self.attempt is not None:
            if written and self.attempt not in written:
                known = ", ".join(map(str, written))
                raise UsageError(f"--attempt: run {self.run_id} has output of attempt {known}, not of {self.attempt}")
            return [self.attempt]
        return written[-1:] if self.latest == 0 else [attempt for attempt in written if attempt >= self.latest]

    @property
    def latest(self) -> int:
        """Of what was seen; 0: nothing was."""
        return self._seen[0]

    def attempts(self) -> list[int]:
        return [row["attempt"] for row in self.database.at_once("attempts_with_output", {"run_id": self.run_id})]


def print_output(output: Output, *, follow: bool) -> None:
    last = ""
    for piece in _followed(output) if follow else output.pieces():
        last = piece["text"]
        sys.stdout.write(last)
        sys.stdout.flush()
    if not last:
        say(_nothing(output))
    elif not last.endswith("\n"):
        sys.stdout.write("\n")
    if output.attempt is None and not follow:
        _say_earlier(output)


def _say_earlier(output: Output) -> None:
    if earlier := [attempt for attempt in output.attempts() if attempt < output.latest]:
        say(f"of attempt {output.latest}; --attempt {earlier[-1]} shows the one before")


def _followed(output: Output) -> Iterator[dict[str, Any]]:
    def look() -> tuple[bool, list[dict[str, Any]]]:
        """Whether it has ended is asked first: nothing is written afterwards."""
        has_ended = RunStatus(find_run(output.database, str(output.run_id))["status"]).has_ended
        return has_ended, output.pieces()

    for has_ended, pieces in looks(look, INTERVAL_SECONDS):
        yield from pieces
        if has_ended:
            return


def _nothing(output: Output) -> str:
    run = find_run(output.database, str(output.run_id))
    stream = "stderr" if output.only_stderr else "its output"
    return f"run {output.run_id} of {run['slug']} is {run['status']}: nothing of {stream} is kept"
