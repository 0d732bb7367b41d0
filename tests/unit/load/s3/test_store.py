from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from etl.errors import ConnectionLostError
from etl.load.s3 import store
from etl.load.s3.store import ObjectStore, StoreAddress
from etl.stack.ports import free_port


def test_what_boto3_tries_again_by_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_ATTEMPTS", 2)
    endpoint = f"http://127.0.0.1:{free_port(39000, taken=set())}"
    address = StoreAddress("nowhere", endpoint, "us-east-1", True, True, None, "key", "secret")
    with capture_logs() as logs, pytest.raises(ConnectionLostError):
        ObjectStore(address).get("a")
    [told] = logs
    assert (told["event"], told["operation"], told["attempt"]) == ("object store asked again", "GetObject", 1)
    assert endpoint in told["error"]
    assert 0 <= told["wait_seconds"] <= 1
