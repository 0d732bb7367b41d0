"""The door to the object store: what boto3 raises becomes one of our errors here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.model import Destination

_OVERLOADED = {
    *("SlowDown", "503", "ServiceUnavailable", "TooManyRequests", "TooManyRequestsException", "RequestLimitExceeded"),
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("BandwidthLimitExceeded", "LimitExceededException"),
}
_LOST = {"InternalError", "500", "502", "504", "RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"}
_MAY_PASS = {429, 500, 502, 503, 504}
_CONTENTION = {"OperationAborted", "ConditionalRequestConflict", "PreconditionFailed", "409", "412"}


@contextmanager
def s3_door(doing: str, table: str | None = None) -> Iterator[None]:
    """Around every call of boto3, on the driver and on executors."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = f"expected the object store to {doing}, it answered {code}: {_first_line(error)}"
        raise _of_code(code, message, doing, table) from error
    except (ConnectionError, HTTPClientError) as error:
        message = f"expected the object store to {doing}, the connection failed: {_first_line(error)}; {_ask(error)}"
        raise ConnectionLostError(message, table=table, destination=Destination.S3) from error
    except BotoCoreError as error:
        message = f"expected the object store to {doing}, boto3 refused: {_first_line(error)}{_keys(error)}"
        raise StoreError(message, statement=doing, table=table, destination=Destination.S3) from error


def may_pass(error: Exception) -> bool:
    """Whether the same request, sent again, may be answered."""
    if not isinstance(error, ClientError):
        return isinstance(error, (ConnectionError, HTTPClientError))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status in _MAY_PASS or error.response["Error"].get("Code") in _OVERLOADED | _LOST


def _of_code(code: str, message: str, doing: str, table: str | None) -> EtlError:
    if code in _OVERLOADED:
        return OverloadedError(message, table=table, destination=Destination.S3)
    if code in _LOST:
        return ConnectionLostError(message, table=table, destination=Destination.S3)
    if code in _CONTENTION:
        return ContentionError(message, table=table, destination=Destination.S3)
    hint = _HINTS.get(code, "")
    return StoreError(message + hint, statement=doing, table=table, destination=Destination.S3)


_HINTS = {
    "NoSuchBucket": "; create the bucket or correct ETL_S3_BUCKET",
    "AccessDenied": "; the access key lacks the right",
    "InvalidAccessKeyId": "; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "; check AWS_SECRET_ACCESS_KEY",
    "RequestTimeTooSkewed": "; set this machine's clock (NTP)",
}


def _keys(error: BotoCoreError) -> str:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
    return ""


def _ask(error: Exception) -> str:
    if isinstance(error, ReadTimeoutError):
        return "does it still answer, and if so, does it need longer (s3.timeout_seconds)?"
    return "is it up?"


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:500]
