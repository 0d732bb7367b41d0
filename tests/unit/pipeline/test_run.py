from typing import Any

import pytest

from etl.ledger.values import LoadRecord, LoadState
from etl.model import RunStatus
from etl.pipeline.run import run_status

SUCCESS, FAILED, PENDING = LoadState.SUCCESS, LoadState.FAILED, LoadState.PENDING


def record(status: LoadState) -> LoadRecord:
    facts: dict[str, Any] = dict.fromkeys(LoadRecord.__dataclass_fields__)
    return LoadRecord(**facts | {"status": status})


@pytest.mark.parametrize(
    ("loads", "has_ended_well", "status"),
    [
        ((), True, RunStatus.SUCCESS),
        ((), False, RunStatus.FAILED),
        ((SUCCESS, LoadState.SKIPPED, LoadState.UNCHANGED), True, RunStatus.SUCCESS),
        ((SUCCESS, SUCCESS), False, RunStatus.PARTIAL),
        ((SUCCESS, FAILED), True, RunStatus.PARTIAL),
        ((SUCCESS, PENDING), False, RunStatus.PARTIAL),
        ((FAILED, PENDING), False, RunStatus.FAILED),
    ],
)
def test_a_run_is_partial_where_some_loads_were_published(
    loads: tuple[LoadState, ...], has_ended_well: bool, status: RunStatus
) -> None:
    assert run_status([record(load) for load in loads], has_ended_well) is status
