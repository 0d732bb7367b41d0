"""`python -m etl.orchestrator.work.python_job`: calls a job's function, as a worker's child.

`module:function` gets the run's parameters by their names, and of what each run has (scheduled_at, interval_from,
interval_until, cycle, run_id; texts, in UTC) what it has parameters for. It returns None, or a mapping with
records_read, records_written and metrics, as far as it knows them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.work.child import Task, run_child

KNOWN = ("records_read", "records_written", "metrics")
_TOO_MANY = 2**63


def call(task: Task) -> Mapping[str, Any]:
    named = task.command["callable"]
    function = _found(named)
    result = function(**task.parameters, **_wanted(function, task.given))
    return _checked(named, result)


def _found(named: str) -> Callable[..., Any]:
    module, _, name = named.partition(":")
    function = getattr(import_module(module), name, None)
    if not callable(function):
        raise UsageError(f"expected a function {name!r} in {module}, found none; mend the job's `python`")
    return function  # type: ignore[no-any-return]


def _wanted(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    return {name: value for name, value in given.items() if name in parameters}


def _checked(named: str, result: Any) -> Mapping[str, Any]:
    if result is None:
        return {}
    if not isinstance(result, Mapping):
        raise UsageError(f"{named}: expected it to return None or a mapping, found {type(result).__name__}")
    for name, value in result.items():
        if name not in KNOWN:
            raise UsageError(f"{named}: it returned {name!r}; {suggestion(str(name), KNOWN)}")
        is_right = isinstance(value, Mapping) if name == "metrics" else type(value) is int and 0 <= value < _TOO_MANY
        if value is not None and not is_right:
            expected = "a mapping" if name == "metrics" else "a number of rows"
            raise UsageError(f"{named}: {name}: expected {expected}, found {value!r}")
    return result


if __name__ == "__main__":
    run_child(call)
