"""A ClickHouse of the test's own that speaks nothing but https, under an authority of the test's own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.settings import RunSettings, Settings
from etl.errors import StoreError, TransientError
from etl.load.base import LoaderConfig
from etl.load.clickhouse import ClickHouseLoader
from etl.stack import processes
from etl.stack.clickhouse import DATABASE, USER, ClickHouseServer
from etl.stack.credentials import new_credentials
from etl.stack.layout import Layout
from etl.stack.ports import LOOPBACK, free_port
from tests.integration.load.certificates import Certificate, issue_certificate
from tests.integration.load.clickhouse.conftest import FrameOf, entry

pytestmark = [pytest.mark.stack, pytest.mark.slow]


class SecureServer(ClickHouseServer):
    """The embedded server with a certificate, and no door without it."""

    certificate: Certificate

    def _config(self, ports: Mapping[str, int]) -> dict[str, Any]:
        config = super()._config(ports)
        del config["http_port"], config["tcp_port"]
        presented = {"certificateFile": self.certificate.chain, "privateKeyFile": self.certificate.key}
        server = {**presented, "verificationMode": "none", "loadDefaultCAFile": "false"}
        return {**config, "https_port": ports["clickhouse"], "openSSL": {"server": server}}


@dataclass(frozen=True)
class Secure:
    settings: ClickHouseSettings

    def loader(self, spark: Any, **changes: Any) -> ClickHouseLoader:
        settings = Settings(clickhouse=self.settings.model_copy(update=changes), run=RunSettings(retries=0))
        return ClickHouseLoader(spark, LoaderConfig(settings, "run-1", 1))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("clickhouse-tls")
    layout, credentials = Layout(folder), new_credentials()
    layout.create()
    server = SecureServer(layout, credentials)
    server.certificate = issue_certificate(folder / "certificate")
    port = free_port(28443, taken=set())
    settings = ClickHouseSettings(
        host=LOOPBACK,
        port=port,
        user=USER,
        password=SecretStr(credentials.clickhouse),
        database="default",
        secure=True,
        ca_file=str(server.certificate.authority),
    )
    server.start({"clickhouse": port, "clickhouse_native": 0})
    try:
        _create_database(settings)
        yield Secure(settings.model_copy(update={"database": DATABASE}))
    finally:
        processes.stop(server.processes(), server.stop_signal)


def _create_database(settings: ClickHouseSettings) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with ClickHouseDoor(settings) as door:
                door.execute(f"CREATE DATABASE {DATABASE} ENGINE = Atomic")
            return
        except TransientError:
            assert time.monotonic() < deadline
            time.sleep(0.3)


@pytest.mark.parametrize("writer", ["arrow", "jdbc"])
def test_a_table_is_loaded_over_https(
    secure: Secure, frame_of: FrameOf, spark: Any, writer: Literal["arrow", "jdbc"]
) -> None:
    loader, config = secure.loader(spark), entry(f"by_{writer}", writer=writer)
    rows = frame_of(("1", None, "x", None), ("2", None, "y", None))
    assert loader.load(rows, config).rows_inserted == 2
    assert loader.load(rows, config).rows_unchanged == 2


def test_an_authority_that_is_not_known_is_refused(
    secure: Secure, frame_of: FrameOf, spark: Any, tmp_path: Path
) -> None:
    stranger = issue_certificate(tmp_path)
    for ca_file in (str(stranger.authority), None):
        with pytest.raises(StoreError, match=r"trusted TLS certificate at .*CERTIFICATE_VERIFY_FAILED.*ca_file"):
            secure.loader(spark, ca_file=ca_file).load(frame_of(("1", None, "x", None)), entry("refused"))
    loader = secure.loader(spark, ca_file=None, verify=False)
    assert not loader.target_exists(entry("refused"))


def test_a_name_that_the_certificate_does_not_have_is_refused(secure: Secure, spark: Any) -> None:
    with pytest.raises(StoreError, match="trusted TLS certificate at"):
        secure.loader(spark, host="localhost").target_exists(entry("refused"))
