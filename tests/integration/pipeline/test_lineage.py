"""What an OpenLineage server hears of a real run, of its failed table too; one that refuses fails no run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.pipeline.conftest import Shop, load_of
from tests.openlineage import Event, require_valid
from tests.receivers import Receiver, lineage_receiver

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ONE = "CREATE TABLE one (id int PRIMARY KEY, name text); INSERT INTO one VALUES (1, 'a'), (2, 'b'), (3, NULL)"
TABLES = "tables: {one: {transform: {required: [name], rules: {short: length(name) < 9}}}, two: {}}"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(os, "environ", dict(os.environ))  # the client leaves variables behind
    with lineage_receiver() as receiver:
        yield receiver


def run(shop: Shop, **variables: str) -> tuple[int, dict[str, Any]]:
    """The client reads the process's own environment."""
    shop.environ.update(variables)
    os.environ.update(variables)
    return shop.run()


def test_a_run_is_told_as_the_ledger_has_it(shop: Shop, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source(ONE)
    shop.tables(TABLES)
    exit_code, report = run(shop, OPENLINEAGE_URL=f"http://etl:hush-hush@127.0.0.1:{receiver.port}")
    assert (exit_code, report["status"]) == (1, "partial")
    events = [json.loads(body) for _, body in receiver.taken]
    for event in events:
        require_valid(event)
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "etl"),
        ("START", "etl.one.postgresql"), ("COMPLETE", "etl.one.postgresql"),
        ("START", "etl.one.s3"), ("COMPLETE", "etl.one.s3"),
        ("START", "etl.two.postgresql"), ("FAIL", "etl.two.postgresql"),
        ("START", "etl.two.s3"), ("FAIL", "etl.two.s3"),
        ("FAIL", "etl"),
    ]  # fmt: skip
    _, _, loaded, *_, failed, _ = events
    _says_what_was_loaded(loaded, shop)
    assert failed["run"]["facets"]["errorMessage"]["message"].endswith(load_of(report, "two", "s3")["error"])
    said = str(receiver.taken) + capsys.readouterr().err
    assert "hush-hush" not in said
    assert all(url.split("@")[0] not in said for name, url in shop.environ.items() if name.endswith("POSTGRES_URL"))

    client = shop.folder / "openlineage.yml"
    client.write_text(f"transport: {{type: http, url: 'http://127.0.0.1:{receiver.port}', retry: {{total: 0}}}}")
    receiver.refusals = 99
    shop.tables("tables: {one: {}}")
    assert run(shop, OPENLINEAGE_CONFIG=str(client), OPENLINEAGE_URL="")[0] == 0, "a server that refuses fails no run"
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    (warning,) = (line for line in lines if line["event"] == "lineage not sent")
    assert (warning["level"], warning["sent"], warning["events"]) == ("warning", 0, 6)


def _says_what_was_loaded(event: Event, shop: Shop) -> None:
    (source,), (target,) = event["inputs"], event["outputs"]
    assert source["name"] == f"source.{shop.name}.one"
    assert target["name"] == f"{shop.name}.public.one"
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert [field["name"] for field in target["facets"]["schema"]["fields"]] == ["id", "name"]
    assert set(target["facets"]["columnLineage"]["fields"]) == {"id", "name"}
    checks = source["inputFacets"]["dataQualityAssertions"]["assertions"]
    found = {check["name"]: (check["success"], check["actual"]) for check in checks}
    assert found == {"required:name": (False, "1"), "rule:short": (True, "0")}
