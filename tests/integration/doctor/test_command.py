"""`etl doctor` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from etl.doctor.__main__ import app
from etl.s3.store import ObjectStore, StoreAddress
from tests.conftest import RunningStack
from tests.integration.doctor.conftest import PREFIX, Patient, url_of

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("restored_logging")]


@pytest.fixture
def doctor(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Patient:
    for name, value in patient.environ.items():
        monkeypatch.setenv(name, value)
    return patient


def run(patient: Patient, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config-dir", str(patient.folder)])


def test_all_in_order_and_nothing_left_behind(stack: RunningStack, doctor: Patient) -> None:
    done = run(doctor, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1
    assert {frozenset(each) for each in told["checks"]} == {
        frozenset({"id", "subject", "status", "found", "expected", "next_step"})
    }
    by_status: dict[str, set[str]] = {}
    for each in told["checks"]:
        by_status.setdefault(each["status"], set()).add(each["id"])
    # what depends on the machine that tests run on
    assert set(by_status) - {"warning"} == {"ok", "not_asked"}
    assert {each.partition(".")[0] for each in by_status.get("warning", ())} <= {"machine", "clickhouse"}
    asked = {"postgresql.pooler", "ledger.migrations", "clickhouse.privileges", "s3.conditional_put", "s3.privileges"}
    assert asked <= by_status["ok"]
    assert stack.settings.s3 is not None
    assert ObjectStore(StoreAddress.of(stack.settings.s3)).objects(f"{PREFIX}/") == []
    assert doctor.warehouse("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
    assert doctor.warehouse("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'etl%'") == [(0,)]


def test_for_the_eye(doctor: Patient) -> None:
    doctor.source("DROP TABLE items")
    done = run(doctor, "--load-destinations", "clickhouse")
    assert done.exit_code == 1
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    place = next(place for place, line in enumerate(lines) if line.split()[:2] == ["FAILED", "tables"])
    assert lines[place].endswith("no public.items")
    assert lines[place + 2].strip().startswith("→ create them")
    assert lines[lines.index("s3") + 1].split(maxsplit=3)[2:] == ["connection", "not among --load-destinations"]
    assert lines[-1].startswith("1 failed, ")


def test_a_server_that_a_run_would_miss(doctor: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ETL_CLICKHOUSE_URL", "ETL_SOURCE_POSTGRES_URL"):
        monkeypatch.delenv(name)
    by_id = {each["id"]: each for each in json.loads(run(doctor, "--json").stdout)["checks"]}
    assert by_id["clickhouse.connection"]["status"] == "not_asked"
    assert by_id["source.connection"]["status"] == "warning"
    named = run(doctor, "--json", "--load-destinations", "clickhouse")
    by_id = {each["id"]: each for each in json.loads(named.stdout)["checks"]}
    assert by_id["clickhouse.connection"]["status"] == "warning"
    assert "ETL_SOURCE_POSTGRES_URL" in by_id["source.connection"]["next_step"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--load-destinations", "s4"), "unknown destination 's4'"),
        (("--load-destinations", " ,"), "expected names, comma-separated"),
    ],
)
def test_bad_use(doctor: Patient, arguments: tuple[str, ...], said: str) -> None:
    done = run(doctor, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_configuration_that_cannot_be_read(doctor: Patient) -> None:
    Path(doctor.folder / "etl.yaml").write_text("sorce: {}\n")
    done = run(doctor, "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "sorce" in done.stderr


def test_a_ledger_apart_from_the_target(doctor: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run would refuse to begin with."""
    monkeypatch.setenv("ETL_LEDGER_POSTGRES_URL", url_of(doctor.source_server))
    done = run(doctor, "--json")
    assert done.exit_code == 1
    by_id = {each["id"]: each for each in json.loads(done.stdout)["checks"]}
    assert by_id["configuration.destinations"]["status"] == "failed"
    assert "ETL_LEDGER_POSTGRES_URL" in by_id["configuration.destinations"]["next_step"]
