"""What every test may use: the embedded servers of this test session and one small Spark session."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import structlog
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from pyspark.sql import SparkSession

from bench.chromium import VARIABLE as CHROMIUM_VARIABLE
from bench.chromium import chromium
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.destinations.s3.settings import S3Settings
from etl.config.settings import PostgreSQLSettings, Settings
from etl.project import PROJECT_DIR
from etl.stack import environment
from etl.stack.embedded import Stack
from etl.stack.layout import DATA_DIR_VARIABLE, Layout
from etl.testing.spark import small_session
from tests.contrib import contrib_server
from tests.stacks import own_data_dir, remove_stack, remove_stacks_of_dead_processes

# Property tests may take their time: the machine may be busy, and nothing here is about speed.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

KEPT_STACK_VARIABLE = "ETL_TEST_DATA_DIR"
"""Names the data folder of servers to use and to leave running; saves their start between runs of a few tests."""

LEFT_TO_PROOF = f"left to `make proof`: no Chromium found (apt install chromium, or {CHROMIUM_VARIABLE})"

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
"""Which of several processes that share the tests this is; each has servers, a Spark session and logs of its own."""


def pytest_configure() -> None:
    # as Ctrl-C: servers are stopped before the end
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if WORKER:
        os.environ.setdefault("ETL_LOG_DIR", str(PROJECT_DIR / "logs" / WORKER))
    # a test runs most of Spark's code once or twice: the second compiler's work costs a fifth of all CPU time; the
    # first alone has 48 MB by default, and would throw away and compile again all the time
    os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m")


def pytest_sessionstart() -> None:
    if not WORKER:
        remove_stacks_of_dead_processes()


def pytest_unconfigure() -> None:
    """A worker that was interrupted is killed where it does not end soon."""
    if not WORKER:
        remove_stacks_of_dead_processes()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Chromium browser tests are left out, and said to be; `make proof`, which runs them, fails instead."""
    is_proof = "slow" in config.option.markexpr and "not slow" not in config.option.markexpr
    if is_proof or chromium() is not None:
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=LEFT_TO_PROOF))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out for want of a browser; what tests measured (`record_property("measured", …)`), in whichever
    process they ran."""
    left = [report for report in terminalreporter.getreports("skipped") if LEFT_TO_PROOF in str(report.longrepr)]
    if left:
        terminalreporter.write_line(f"{len(left)} browser tests were {LEFT_TO_PROOF}")
    for report in terminalreporter.getreports("passed"):
        for line in (value for name, value in report.user_properties if name == "measured"):
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {line}")


@dataclass(frozen=True)
class RunningStack:
    """The embedded servers of this session: `environment` holds the seven variables that `etl.stack env` prints."""

    data_dir: Path
    environment: dict[str, str] = field(repr=False)

    @property
    def postgres_url(self) -> str:
        return self.environment["ETL_POSTGRES_URL"]

    @property
    def source_postgres_url(self) -> str:
        return self.environment["ETL_SOURCE_POSTGRES_URL"]

    @property
    def clickhouse_url(self) -> str:
        return self.environment["ETL_CLICKHOUSE_URL"]

    @property
    def settings(self) -> Settings:
        """As the configuration would build them from the environment."""
        warehouse = _postgresql_settings(self.postgres_url)
        return Settings(
            source=_postgresql_settings(self.source_postgres_url),
            ledger=warehouse,
            postgresql=warehouse,
            clickhouse=_clickhouse_settings(self.clickhouse_url),
            s3=S3Settings(
                endpoint=self.environment["ETL_S3_ENDPOINT"],
                bucket=self.environment["ETL_S3_BUCKET"],
                access_key=SecretStr(self.environment["AWS_ACCESS_KEY_ID"]),
                secret_key=SecretStr(self.environment["AWS_SECRET_ACCESS_KEY"]),
            ),
        )


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """For tests of what sets the process's log up."""
    root, etl = logging.getLogger(), logging.getLogger("etl")
    before = (root.handlers[:], root.level, etl.level)
    yield
    root.handlers[:], root.level = before[0], before[1]
    etl.setLevel(before[2])
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Servers of this session's own, gone with all their data when it ends; never those of the user."""
    kept = os.environ.get(KEPT_STACK_VARIABLE)
    if kept:
        # beside one another: a folder is deleted with all that lies in it
        folder = Path(kept).resolve()
        yield _bring_up(folder.with_name(f"{folder.name}-{WORKER}") if WORKER else folder)
        return
    data_dir = own_data_dir()
    try:
        yield _bring_up(data_dir)
    finally:
        remove_stack(data_dir)


@pytest.fixture(scope="session")
def contrib() -> Iterator[PostgreSQLSettings]:
    """The administrator of a PostgreSQL with citext and ICU."""
    data_dir = own_data_dir("contrib")
    try:
        with contrib_server(data_dir) as settings:
            yield settings
    finally:
        remove_stack(data_dir)


@pytest.fixture
def stack_environment(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """For tests of what reads the environment: points it at the session's servers."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return stack.environment


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Small and local, with Delta and S3A; call etl.spark.session.configure_s3 before using s3a://."""
    with small_session(tmp_path_factory.mktemp("warehouse")) as session:
        yield session


def _bring_up(data_dir: Path) -> RunningStack:
    """In a process of its own, as a user would: the servers must not be our children."""
    subprocess.run(
        [sys.executable, "-m", "etl.stack", "up"],
        cwd=PROJECT_DIR,
        env={**os.environ, DATA_DIR_VARIABLE: str(data_dir)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    running = Stack(Layout(data_dir), say=print)
    credentials = running.credentials()
    assert credentials is not None
    return RunningStack(data_dir, environment.variables(running.ports(), credentials))


def _postgresql_settings(url: str) -> PostgreSQLSettings:
    parts = urlsplit(url)
    return PostgreSQLSettings(
        host=str(parts.hostname),
        port=parts.port or 5432,
        user=str(parts.username),
        password=SecretStr(str(parts.password)),
        database=parts.path.removeprefix("/"),
    )


def _clickhouse_settings(url: str) -> ClickHouseSettings:
    parts = urlsplit(url)
    return ClickHouseSettings(
        host=str(parts.hostname),
        port=parts.port or 8123,
        user=str(parts.username),
        password=SecretStr(str(parts.password)),
        database=parts.path.removeprefix("/"),
    )
