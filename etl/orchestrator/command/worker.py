"""`etl orchestrator worker`: claims runs and runs them, until it is told to end."""

from __future__ import annotations

from typing import Annotated

import typer

from etl.command.exits import Exit
from etl.command.options import ConfigDir, LogOption, MetricsPort
from etl.orchestrator.command.opening import Opened, opened
from etl.orchestrator.watch.observers import Observer
from etl.orchestrator.watch.serving import observer_of
from etl.orchestrator.work.stopping import Stop, stopped_by_signals
from etl.orchestrator.work.worker import Worker
from etl.project import DEFAULT_CONFIG_DIR

DEFAULT_SLOTS = 4

Slots = Annotated[int, typer.Option(min=1, max=256, help="How many runs at once.")]


def register(app: typer.Typer) -> None:
    app.command("worker")(work)


def work(
    slots: Slots = DEFAULT_SLOTS,
    metrics_port: MetricsPort = None,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Claim runs and run them. Ctrl-C: what runs may end, nothing more is begun; again, or SIGTERM: what runs is ended
    and handed back, for other workers."""
    with opened(config_dir, log_format) as at, stopped_by_signals(Stop()) as stop:
        worker_of(at, slots, observer_of("worker", metrics_port, at.database)).run(stop)
    return exit_of(stop)


def worker_of(at: Opened, slots: int, observer: Observer | None = None) -> Worker:
    return Worker(at.database, at.settings, at.settings.config_dir, slots, secrets=at.secrets, observer=observer)


def exit_of(stop: Stop) -> Exit:
    """Drained, it has done all that it was asked."""
    return (Exit.TERMINATED if stop.is_terminated else Exit.INTERRUPTED) if stop.is_handing_back else Exit.DONE
