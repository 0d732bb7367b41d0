"""The page's API, served over a real socket, on a staging ledger of the tests' own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import orjson
import pytest
import structlog

from etl.api.app import create_app
from etl.api.configured import ConfiguredJobs, KeptConfiguration
from etl.api.server import PageServer, listening
from etl.api.services import Services
from etl.command.logging import LogFormat, configure_logging
from etl.config.page import PageSettings
from etl.config.settings import PostgreSQLSettings
from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.staging.batch.rules import table_of
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.loader import LoadOptions, StagingLoader, Summary
from etl.staging.sources.factory import open_source
from tests.databases import Execute, database_of_its_own, statements_of
from tests.integration.api.ledger import empty_ledger

if TYPE_CHECKING:
    from tests.conftest import RunningStack

JOBS = """
jobs:
  orders:
    description: Orders of the shop
    target_table: stg_orders
    source: {type: ndjson, path: orders.ndjson}
    source_id: id
    required: [total]
    batch_size: 100
    workers: 1
  returns:
    description: What came back of the orders
    target_table: stg_returns
    source: {type: query, query: SELECT 1 AS id}
    source_id: id
  piped:
    target_table: stg_piped
    source: {type: stdin}
    source_id: id
"""


@dataclass(frozen=True)
class Page:
    """A process of the API, as far as its clients can tell."""

    url: str
    services: Services

    def client(self, **settings: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=60, **settings)

    @contextmanager
    def operator(self) -> Iterator[httpx2.Client]:
        """As the page does: keeps the session's cookie, and sends its token along."""
        with self.client() as client:
            client.headers["X-CSRF-Token"] = client.get("/api/session").json()["csrf_token"]
            yield client


@pytest.fixture(scope="session", autouse=True)
def plain_log() -> Iterator[None]:
    """As the process has it: what is not set up draws a whole app's variables beside a traceback."""
    configure_logging(LogFormat.JSON)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def page_settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "page_test") as settings:
        yield settings


@pytest.fixture(scope="session")
def execute(page_settings: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(page_settings) as execute:
        yield execute


@pytest.fixture(scope="session")
def config_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 orders: three batches, of which each has a record without its total, and the last one that is no JSON."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "staging").mkdir()
    (folder / "staging" / "shop.yaml").write_text(JOBS)
    lines = [orjson.dumps({"id": f"o{i}", **({} if i % 100 == 7 else {"total": i})}) for i in range(300)]
    (folder / "orders.ndjson").write_bytes(b"\n".join([*lines[:299], b'{"id": ']) + b"\n")
    return folder


def configuration_of(server: PostgreSQLSettings, config_dir: Path) -> StagingConfiguration:
    return load_staging_configuration(config_dir, environment_of(server))


def environment_of(server: PostgreSQLSettings) -> dict[str, str]:
    url = (
        f"postgresql://{server.user}:{server.password.get_secret_value()}@{server.host}:{server.port}/{server.database}"
    )
    return {"ETL_STAGING_POSTGRES_URL": url, "ETL_SOURCE_POSTGRES_URL": url}


@pytest.fixture(scope="session")
def configuration(page_settings: PostgreSQLSettings, config_dir: Path) -> StagingConfiguration:
    return configuration_of(page_settings, config_dir)


@pytest.fixture(scope="session")
def staging(configuration: StagingConfiguration) -> Iterator[StagingDatabase]:
    with closing(StagingDatabase(configuration.database)) as database:
        install(database, map(table_of, configuration.jobs.values()))
        yield database


@pytest.fixture
def ledger(staging: StagingDatabase, execute: Execute) -> Execute:
    """Empty. Runs statements that are none of the code under test."""
    empty_ledger(execute)
    return execute


def served(configuration: StagingConfiguration) -> AbstractContextManager[Page]:
    """Of files that never change."""
    configured = ConfiguredJobs(configuration, has_batch_size_in_environment=False)
    return served_by(KeptConfiguration(lambda: configured, int))


@contextmanager
def served_by(kept: KeptConfiguration) -> Iterator[Page]:
    services = Services.of(kept, PageSettings(sign_in=False))
    with listening("127.0.0.1", 0) as held:
        server = PageServer(create_app(services), services.hub)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        try:
            yield Page(f"http://127.0.0.1:{held.getsockname()[1]}", services)
        finally:
            server.should_exit = True
            thread.join(timeout=60)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def page(configuration: StagingConfiguration, staging: StagingDatabase) -> Iterator[Page]:
    with served(configuration) as page:
        yield page


@pytest.fixture
def client(page: Page, ledger: Execute) -> Iterator[httpx2.Client]:
    with page.client() as client:
        yield client


@pytest.fixture
def loaded(ledger: Execute, staging: StagingDatabase, configuration: StagingConfiguration, tmp_path: Path) -> Summary:
    """A real run of `orders`."""
    return load_orders(staging, configuration, "orders-1", tmp_path)


def load_orders(
    staging: StagingDatabase, configuration: StagingConfiguration, run_id: str, reject_dir: Path
) -> Summary:
    job = configuration.job("orders")
    source = open_source(job, configuration)
    options = LoadOptions(run_id=run_id, reject_dir=reject_dir)
    return StagingLoader(staging).load(job, source, options)
