"""A whole installation as users have it: the API's process, a worker, a database of its own, jobs and users."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from etl.api.demo.house import House
from etl.api.models import Role
from etl.api.security.users import Users
from etl.config.settings import PostgreSQLSettings
from etl.stack import processes
from etl.staging.database.database import StagingDatabase
from tests.browser import shop
from tests.databases import Execute, statements_of
from tests.integration.staging.test_commands import url_of

PASSWORD = "a-password-of-the-stories"
USERS = {"olga": Role.OPERATOR, "victor": Role.VIEWER}
PATIENCE_SECONDS = 90


@dataclass
class Place:
    house: House
    execute: Execute
    database_url: str
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def records(self) -> Path:
        return self.house.records

    # --- processes -------------------------------------------------------------------------------------------------

    def start_page(self) -> None:
        """Under the address that it had."""
        self.house.start("page", "etl.api", "--port", str(self.port), "--log-format", "json")
        wait_for(self._answers)

    def start_worker(self) -> None:
        self.house.start("worker", "etl.staging", "worker")

    def end(self, name: str, signal_number: int = signal.SIGKILL) -> None:
        child = self.house.children.pop(name)
        child.send_signal(signal_number)
        child.wait(PATIENCE_SECONDS)

    def loads(self) -> list[psutil.Process]:
        """Processes that load, whoever has begun them."""
        found = processes.find_by_arguments("etl.staging", "--config-dir", str(self.house.conf))
        return [each for each in found if "--request" in each.info["cmdline"]]

    def load(self, job: str, run_id: str, *options: str) -> None:
        """By the command line."""
        self.house.run("etl.staging", "load", job, "--run-id", run_id, *options)

    def clear(self) -> None:
        """Nothing runs, nothing has run; whoever is missing is started."""
        processes.stop(self.loads(), signal.SIGKILL)
        shop.empty(self.execute)
        shop.write_orders(self.records)
        if "page" not in self.house.children:
            self.start_page()
        if "worker" not in self.house.children:
            self.start_worker()

    def _answers(self) -> bool:
        self.house.check()
        try:
            return httpx2.get(f"{self.address}/api/health").status_code == 200
        except httpx2.TransportError:
            return False

    # --- the database ----------------------------------------------------------------------------------------------

    @contextmanager
    def gate_shut(self) -> Iterator[None]:
        with shop.gate_shut(self.database_url):
            yield

    def wait_at_the_gate(self) -> None:
        wait_for(lambda: shop.waits_at_the_gate(self.execute))

    def value(self, statement: str, *values: object) -> object:
        ((value,),) = self.execute(statement, values)
        return value

    def run(self, run_id: str, *columns: str) -> tuple[object, ...]:
        (row,) = self.execute(f"SELECT {', '.join(columns)} FROM etl_runs WHERE id = %s", (run_id,))
        return tuple(row)


@contextmanager
def place_on(server: PostgreSQLSettings, folder: Path) -> Iterator[Place]:
    """On an empty database. All processes end with the block."""
    folder.mkdir(parents=True)
    house = House(folder)
    url = url_of(server)
    house.use_database(url)
    shop.furnish(house.conf, house.records)
    assert house.run("etl.staging", "init") == 0, (folder / "commands.log").read_text()
    with closing(StagingDatabase(server, connections=1)) as database:
        for name, role in USERS.items():
            Users(database, done_by="the stories").add(name, role, PASSWORD)
    with statements_of(server) as execute:
        execute(shop.FAULTS)
        try:
            yield Place(house, execute, url, _any_free_port())
        finally:
            keep_logs(folder)
            house.end()


def keep_logs(folder: Path) -> None:
    """Where they are looked for after a failure, since the folder goes."""
    kept = Path(os.environ.get("ETL_LOG_DIR", "logs")) / "browser"
    kept.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        (kept / f"{folder.name}-{log.name}").write_bytes(log.read_bytes())


def _any_free_port() -> int:
    """Far from where others look for theirs at the same time."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, f"in vain: {what or condition}"
        time.sleep(0.1)
