"""`etl orchestrator up`: a scheduler and a worker in one process, for one machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Annotated

import structlog
import typer

from etl.command.exits import Exit
from etl.command.options import ConfigDir, LogOption, MetricsPort
from etl.errors import EtlError
from etl.orchestrator.command.opening import Opened, opened
from etl.orchestrator.command.scheduler import schedule_until
from etl.orchestrator.command.worker import DEFAULT_SLOTS, Slots, exit_of, worker_of
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.watch.observers import Observer
from etl.orchestrator.watch.serving import observer_of
from etl.orchestrator.work.stopping import Stop, stopped_by_signals
from etl.project import DEFAULT_CONFIG_DIR
from etl.repeating import Repeating

UntilIdle = Annotated[
    bool, typer.Option("--until-idle", help="End when nothing runs, is ready or due; exit code 1 if a run failed.")
]

log = structlog.get_logger(__name__)


def register(app: typer.Typer) -> None:
    app.command("up")(up)


def up(
    slots: Slots = DEFAULT_SLOTS,
    until_idle: UntilIdle = False,
    metrics_port: MetricsPort = None,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Run scheduler and worker together. Ctrl-C: what runs may end, nothing more is begun; again, or SIGTERM: what
    runs is ended and handed back."""
    with opened(config_dir, log_format) as at, stopped_by_signals(Stop()) as stop:
        since = at.database.at_once("now")[0]["now"]
        observer = observer_of("up", metrics_port, at.database)
        with _scheduling(at, stop, observer), Idleness(at.database, stop) if until_idle else nullcontext():
            worker_of(at, slots, observer).run(stop)
        failed = at.database.at_once("failed_since", {"since": since})[0]["failed"] if until_idle else 0
    return exit_of(stop) or (Exit.FAILED if failed else Exit.DONE)


@contextmanager
def _scheduling(at: Opened, stop: Stop, observer: Observer) -> Iterator[None]:
    """A scheduler in a thread, until the block ends. One that fails is no reason to cut off what runs."""
    over = threading.Event()

    def drain(ended: Future[None]) -> None:
        if not over.is_set():
            log.error("the scheduler ended", error=str(ended.exception()))
            stop.drain()

    with ThreadPoolExecutor(1, "scheduler") as thread:
        scheduling = thread.submit(schedule_until, at, over, observer)
        scheduling.add_done_callback(drain)
        try:
            yield
        finally:
            over.set()
        scheduling.result()


class Idleness(Repeating):
    """Ends the worker when nothing is left to do, looked at twice: between a tick and its runs may be a moment."""

    def __init__(self, database: OrchestratorDatabase, stop: Stop) -> None:
        super().__init__("idleness", interval_seconds=1.0, patience_seconds=30)
        self._database = database
        self._stop = stop
        self._times_idle = 0

    def again(self) -> bool:
        try:
            is_idle = not self._database.at_once("work_left")[0]["is_any"]
        except EtlError as error:
            log.warning("cannot look for what is left to do", error=error.message)
            return True
        self._times_idle = self._times_idle + 1 if is_idle else 0
        if self._times_idle == 2:
            log.info("nothing is left to do")
            self._stop.drain()
        return not self._stop.is_draining
