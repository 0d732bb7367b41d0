"""Rules, and channels that are real receivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from etl.alerts.channels import Channels
from etl.alerts.couriers import Courier
from etl.config.alerts import AlertRule, AlertSettings
from etl.orchestrator.alerting.rules import write_rules
from etl.orchestrator.alerting.wording import words_of
from etl.orchestrator.database.database import OrchestratorDatabase
from tests.receivers import Receiver, http_receiver, smtp_receiver

Rules = Callable[..., None]


@pytest.fixture
def rules(database: OrchestratorDatabase) -> Rules:
    """Writes rules down, each a mapping; without any: all alerts to `ops`."""

    def write(*written: dict[str, Any]) -> None:
        read = tuple(AlertRule(**rule) for rule in (written or ({"channel": "ops"},)))
        channels = {rule.channel: SecretStr("json://127.0.0.1/") for rule in read}
        write_rules(database, AlertSettings(channels=channels, rules=read))

    return write


def courier(database: OrchestratorDatabase, channels: Channels, name: str, secrets: tuple[str, ...] = ()) -> Courier:
    return Courier(database, channels, name, words_of(database, secrets))


@pytest.fixture
def web() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[Receiver]:
    with smtp_receiver() as receiver:
        yield receiver
