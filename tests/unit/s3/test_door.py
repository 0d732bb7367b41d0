from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.s3.door import may_pass, s3_door


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("SlowDown", OverloadedError),
        ("InternalError", ConnectionLostError),
        ("PreconditionFailed", ContentionError),
        ("AccessDenied", StoreError),
        ("NoSuchBucket", StoreError),
    ],
)
def test_the_stores_answer_decides_the_trunk(code: str, expected: type[EtlError]) -> None:
    said = rf"expected the object store to write t/x, it answered {code}"
    with pytest.raises(expected, match=said), s3_door("write t/x", "t"):
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "PutObject")


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("SlowDown", 503, True),
        ("InternalError", 500, True),
        ("unheard of", 502, True),
        ("NotImplemented", 501, False),
        ("PreconditionFailed", 412, False),
        ("NoSuchKey", 404, False),
    ],
)
def test_a_request_is_sent_again_where_the_store_may_answer_then(code: str, status: int, expected: bool) -> None:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert may_pass(ClientError(answer, "PutObject")) is expected
    assert may_pass(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))
    assert not may_pass(NoCredentialsError())


def test_a_store_that_says_nothing_is_told_with_the_setting() -> None:
    said = r"expected the object store to list t/, .*Read timeout .*\(s3\.timeout_seconds\)\?$"
    with pytest.raises(ConnectionLostError, match=said), s3_door("list t/"):
        raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")


def test_a_refused_connection_may_be_tried_again() -> None:
    with pytest.raises(ConnectionLostError, match="is it up"), s3_door("list t/"):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (NoCredentialsError(), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"),
        (ClientError({"Error": {"Code": "RequestTimeTooSkewed"}}, "ListObjectsV2"), "set this machine's clock (NTP)"),
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "HeadBucket"), "create the bucket or correct ETL_S3_BUCKET"),
    ],
)
def test_a_refusal_ends_with_what_to_do(error: Exception, step: str) -> None:
    with pytest.raises(StoreError) as raised, s3_door("list t/"):
        raise error
    assert raised.value.message.endswith(f"; {step}")
