from __future__ import annotations

import pytest
from tenacity import wait_none

from etl.config.settings import RunSettings
from etl.errors import EtlError
from etl.load.postgresql.retries import loading_again
from etl.postgresql.door import door
from tests.unit.postgresql.test_door import SETTINGS, coded


@pytest.mark.parametrize(("code", "calls"), [("40P01", 4), ("57014", 2), ("53100", 1), ("42601", 1)])
def test_what_is_tried_again(code: str, calls: int) -> None:
    made = []

    def attempt() -> None:
        made.append(1)
        with door(SETTINGS, "publish"):
            raise coded(code)

    policy = loading_again(RunSettings(retries=3, retry_for_seconds=0), "items").copy(wait=wait_none())
    with pytest.raises(EtlError):
        policy(attempt)
    assert len(made) == calls
