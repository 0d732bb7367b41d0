"""Where a command's words go: report, log, progress and metrics."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from etl.command.logging import LogFormat
from etl.ingestion.command.options import Reader
from etl.ingestion.watch.event_log import EventLog
from etl.ingestion.watch.metrics import Metrics
from etl.ingestion.watch.observers import Observer
from etl.ingestion.watch.progress import ProgressBars

HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class Outputs:
    is_json: bool
    log_format: LogFormat
    metrics_port: int | None = None
    pushgateway: str | None = None
    metrics_textfile: Path | None = None

    def print_json(self, value: Any) -> None:
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")

    @staticmethod
    def give_up_stdout() -> None:
        """So that its end, which would try to write what is left, does not change the exit code."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    @property
    def console(self) -> Console:
        """For tables; wide enough not to break names where nobody watches."""
        console = Console()
        return console if console.is_terminal else Console(width=220)

    @contextmanager
    def observers(self, *, is_dry_run: bool = False) -> Iterator[Sequence[Observer]]:
        """Metrics are handed over at the end, however it ends. UsageError where the port is taken."""
        metrics = Metrics()
        if self.metrics_port is not None:
            metrics.serve(self.metrics_port)
        try:
            with self._watcher(is_dry_run) as watcher:
                yield (metrics, watcher)
        finally:
            if self.pushgateway:
                metrics.push(self.pushgateway)
            if self.metrics_textfile:
                metrics.write(self.metrics_textfile)

    @contextmanager
    def _watcher(self, is_dry_run: bool) -> Iterator[Observer]:
        """Bars where a person watches, else log lines."""
        console = Console(stderr=True)
        if self.log_format is not LogFormat.CONSOLE or not console.is_terminal or console.is_dumb_terminal:
            yield EventLog(is_dry_run=is_dry_run)
            return
        bars = ProgressBars(console)
        try:
            yield bars
        finally:
            bars.close()


def default_log_format() -> LogFormat:
    return LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON


def read_outputs(reader: Reader) -> Outputs:
    """Faults stay with the reader."""
    port = reader.number("metrics_port", 0) if reader.text("metrics_port") else None
    if port is not None and not 0 < port <= HIGHEST_PORT:
        reader.faults.append(f"--metrics-port {port}: expected 1 to {HIGHEST_PORT}")
    textfile = Path(reader.text("metrics_textfile")).expanduser() if reader.text("metrics_textfile") else None
    if textfile is not None and not textfile.parent.is_dir():
        reader.faults.append(f"--metrics-textfile {str(textfile)!r}: there is no folder {str(textfile.parent)!r}")
    return Outputs(
        is_json=reader.switch("json"),
        log_format=reader.choice("log_format", LogFormat) if reader.text("log_format") else default_log_format(),
        metrics_port=port,
        pushgateway=reader.text("pushgateway") or None,
        metrics_textfile=textfile,
    )
