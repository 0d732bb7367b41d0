from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from etl.errors import UsageError
from etl.orchestrator.work.child import Task
from etl.orchestrator.work.python_job import call

HERE = __name__
GIVEN = {"scheduled_at": "2026-11-26T02:00:00+00:00", "interval_from": None, "cycle": "c", "run_id": 17}


def given_what_it_names(day: str, run_id: int, interval_from: str | None) -> Mapping[str, Any]:
    return {"metrics": {"day": day, "run_id": run_id, "interval_from": interval_from}}


def returning(value: Any) -> Callable[[], Any]:
    return lambda: value


def task(name: str, **parameters: Any) -> Task:
    return Task({"callable": f"{HERE}:{name}"}, parameters, GIVEN, Path())


def test_a_function_gets_its_parameters_and_of_the_runs_what_it_names() -> None:
    found = call(task("given_what_it_names", day="monday"))
    assert found == {"metrics": {"day": "monday", "run_id": 17, "interval_from": None}}


def test_a_parameter_it_does_not_have_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'month'"):
        call(task("given_what_it_names", day="monday", month="may"))


def test_a_name_that_is_no_function_is_told() -> None:
    with pytest.raises(UsageError, match="expected a function 'GIVEN'"):
        call(task("GIVEN"))


@pytest.mark.parametrize("result", [None, {}, {"records_read": 0, "records_written": None, "metrics": {}}])
def test_what_it_may_return(result: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "job", returning(result))
    assert call(task("job")) == (result or {})


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("done", "None or a mapping, found str"),
        ({"records_writen": 1}, "did you mean 'records_written'"),
        ({"records_read": -1}, "records_read: expected a number of rows, found -1"),
        ({"records_read": 2**63}, "records_read: expected a number of rows, found 9223372036854775808"),
        ({"records_read": True}, "records_read: expected a number of rows, found True"),
        ({"records_written": "5"}, "records_written: expected a number of rows"),
        ({"metrics": [1]}, "metrics: expected a mapping"),
    ],
)
def test_what_it_may_not(result: Any, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "job", returning(result))
    with pytest.raises(UsageError, match=told):
        call(task("job"))
