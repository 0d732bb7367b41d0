"""`etl orchestrator scheduler`: makes runs of what is due, until it is told to end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import typer

from etl.command.exits import Exit
from etl.command.options import ConfigDir, LogOption, MetricsPort
from etl.orchestrator.alerting.assembly import alerting
from etl.orchestrator.command.opening import Opened, opened
from etl.orchestrator.schedule.scheduler import run_scheduler
from etl.orchestrator.watch.observers import Observer
from etl.orchestrator.watch.serving import observer_of
from etl.orchestrator.work.stopping import Stop, stopped_by_signals
from etl.project import DEFAULT_CONFIG_DIR

_LOOKS_SECONDS = 0.1
"""How often it looks whether a signal came: a handler of signals may not set an event that its own thread waits for."""


def register(app: typer.Typer) -> None:
    app.command("scheduler")(schedule)


def schedule(
    metrics_port: MetricsPort = None, log_format: LogOption = None, config_dir: ConfigDir = DEFAULT_CONFIG_DIR
) -> int:
    """Make the runs that are due, take lost ones from dead workers, deliver alerts. Any number may run at once.

    Ctrl-C or SIGTERM ends it after what it is just doing.
    """
    over = threading.Event()
    with opened(config_dir, log_format) as at, stopped_by_signals(Stop()) as stop, ThreadPoolExecutor(1) as thread:
        observer = observer_of("scheduler", metrics_port, at.database)
        working = thread.submit(schedule_until, at, over, observer)
        while not (working.done() or stop.is_draining):
            wait([working], timeout=_LOOKS_SECONDS)
        over.set()
        working.result()
    return Exit.TERMINATED if stop.is_handing_back else Exit.INTERRUPTED


def schedule_until(at: Opened, stop: threading.Event, observer: Observer | None = None) -> None:
    """A scheduler with all its steps, for whoever runs it in a thread of his own."""
    with alerting(at.database, at.settings.alerts, at.secrets, observer) as steps:
        run_scheduler(at.database, steps=steps, stop=stop, observer=observer)
