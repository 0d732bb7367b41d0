from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from structlog.testing import capture_logs

from etl.errors import ConnectionLostError, UsageError
from etl.report.lineage.sending import open_client, send
from tests.openlineage import require_valid
from tests.receivers import Receiver, lineage_receiver

RUN = "01941f29-7c00-7aaa-8bbb-cccccccccccc"
EVENTS = [
    RunEvent(eventType=state, eventTime="2026-11-20T21:07:33+00:00", run=Run(RUN), job=Job("ownlens-etl", "etl"))
    for state in (RunState.START, RunState.COMPLETE)
]


@pytest.fixture(autouse=True)
def receiver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Receiver]:
    """The client leaves variables behind, and reads a file of the working directory."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    with lineage_receiver() as receiver:
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{receiver.port}")
        yield receiver


def told(events: Callable[[], list[RunEvent]] = lambda: EVENTS, seconds: float = 30) -> dict[str, object]:
    """The log's one line."""
    with capture_logs() as lines:
        send(events, seconds)
    (line,) = lines
    return dict(line)


def test_events_arrive_in_order(receiver: Receiver) -> None:
    assert told() == {"event": "lineage sent", "log_level": "info", "sent": 2, "events": 2}
    assert [path for path, _ in receiver.taken] == ["/api/v1/lineage"] * 2
    arrived = [json.loads(body) for _, body in receiver.taken]
    assert [event["eventType"] for event in arrived] == ["START", "COMPLETE"]
    for event in arrived:
        require_valid(event)


def test_a_server_that_refuses_at_first_is_asked_again(receiver: Receiver) -> None:
    receiver.refusals = 1
    assert told()["event"] == "lineage sent"
    assert (receiver.tries, len(receiver.taken)) == (3, 2)


def test_a_server_that_refuses_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, receiver: Receiver
) -> None:
    file = tmp_path / "client.yml"
    file.write_text(f"transport: {{type: http, url: 'http://127.0.0.1:{receiver.port}', retry: {{total: 0}}}}")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(file))
    receiver.refusals = 9
    line = told()
    assert (line["event"], line["log_level"], line["sent"], line["events"]) == ("lineage not sent", "warning", 0, 2)
    assert receiver.tries == 1, "the second event would fail likewise"


def test_a_server_that_hangs_is_waited_for_no_longer_than_the_limit(receiver: Receiver) -> None:
    receiver.hang = threading.Event()
    line = told(seconds=0.2)
    receiver.hang.set()
    assert (line["event"], line["error"]) == ("lineage not sent", "the server took more than 0.2 s")


def test_what_cannot_be_told_is_a_warning_too(receiver: Receiver) -> None:
    def nothing() -> list[RunEvent]:
        raise ConnectionLostError("the ledger is away")

    line = told(nothing)
    assert (line["event"], line["error"]) == ("lineage not sent", "ConnectionLostError: the ledger is away")
    assert receiver.tries == 0


def test_a_client_that_cannot_be_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "client.yml"
    file.write_text("transport: {type: http}")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(file))
    with pytest.raises(UsageError, match=r"OpenLineage's client cannot be used .* OPENLINEAGE_DISABLED=true"):
        open_client()
