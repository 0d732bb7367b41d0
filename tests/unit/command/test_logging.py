from __future__ import annotations

import json
import logging

import pytest
import structlog

from etl.command.logging import LogFormat, configure_logging

SECRET = "hunter22"


pytestmark = pytest.mark.usefixtures("restored_logging")


def fail() -> None:
    local_value = "a value nobody should see"
    raise OSError(f"cannot log in at postgresql://etl:{SECRET}@db/x" + local_value[:0])


def log_failure() -> None:
    try:
        fail()
    except OSError:
        structlog.get_logger("etl.test").exception("load failed", table="orders", url=f"http://u:{SECRET}@h/")


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON, secrets=[SECRET])
    structlog.get_logger("etl.test").info("load started", table="orders", rows=3, password="x", path=print)
    log_failure()

    captured = capsys.readouterr()
    first, second = (json.loads(line) for line in captured.err.splitlines())
    assert captured.out == ""
    assert first == {
        "event": "load started",
        "level": "info",
        "table": "orders",
        "rows": 3,
        "password": "***",
        "path": str(print),
        "timestamp": first["timestamp"],
    }
    assert (second["event"], second["level"], second["url"]) == ("load failed", "error", "http://u:***@h/")
    assert "OSError: cannot log in at postgresql://etl:***@db/x" in second["exception"]


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_neither_secrets_nor_locals_are_written(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    configure_logging(log_format, secrets=[SECRET])
    log_failure()
    structlog.get_logger("etl.test").info(f"the password is {SECRET}", note=SECRET, nested={"deep": [SECRET]})
    logging.getLogger("some.library").warning("retrying http://u:%s@h", SECRET)

    written = capsys.readouterr().err
    assert SECRET not in written
    assert "Traceback" in written and "in fail" in written
    assert "a value nobody should see" not in written
    assert "retrying http://u:***@h" in written


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogFormat.JSON, level="WARNING")
    structlog.get_logger("etl.test").info("quiet")
    logging.getLogger("some.library").info("quiet too")
    structlog.get_logger("etl.test").warning("heard")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["heard"]
