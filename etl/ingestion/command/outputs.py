"""Where a command's words go: report, log, progress and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from etl.command.console import watched_console
from etl.command.logging import LogFormat, default_log_format
from etl.config.alerts import AlertSettings, load_alerts
from etl.errors import ConfigurationError
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
    alerts: AlertSettings = field(default_factory=AlertSettings)

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
        console = watched_console(self.log_format)
        if console is None:
            yield EventLog(is_dry_run=is_dry_run)
            return
        bars = ProgressBars(console)
        try:
            yield bars
        finally:
            bars.close()


def read_outputs(reader: Reader, environment: Mapping[str, str]) -> Outputs:
    """Faults stay with the reader."""
    port = reader.number("metrics_port", 0) if reader.text("metrics_port") else None
    if port is not None and not 0 < port <= HIGHEST_PORT:
        reader.faults.append(f"--metrics-port {port}: expected 1 to {HIGHEST_PORT}")
    textfile = Path(reader.text("metrics_textfile")).expanduser() if reader.text("metrics_textfile") else None
    if textfile is not None and not textfile.parent.is_dir():
        reader.faults.append(f"--metrics-textfile {str(textfile)!r}: there is no folder {str(textfile.parent)!r}")
    alerts = AlertSettings()
    if reader.text("config_dir"):
        try:
            alerts = load_alerts(Path(reader.text("config_dir")).expanduser(), environment)
        except ConfigurationError as error:
            reader.faults.append(error.message)
    return Outputs(
        is_json=reader.switch("json"),
        log_format=reader.choice("log_format", LogFormat) if reader.text("log_format") else default_log_format(),
        metrics_port=port,
        pushgateway=reader.text("pushgateway") or None,
        metrics_textfile=textfile,
        alerts=alerts,
    )
