"""Connections to ClickHouse over HTTP(S), and what goes wrong with them in words: every wait of theirs ends."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.errors import ConnectionLostError, StoreError

CONNECT_SECONDS, _SERVER_FIRST_SECONDS = 10, 5
"""The server ends a statement before we stop waiting for it: one that nobody waits for would go on."""


def pool_of(settings: ClickHouseSettings) -> urllib3.HTTPConnectionPool:
    credentials = f"{settings.user}:{settings.password.get_secret_value()}".encode()
    headers = {
        "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
        "Content-Type": "application/octet-stream",
    }
    answer_seconds = settings.timeout_seconds + _SERVER_FIRST_SECONDS
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=answer_seconds),
        "answer_seconds": answer_seconds,
        "retries": False,
        "headers": headers,
        "maxsize": 2,
    }
    if not settings.secure:
        return _Pool(settings.host, settings.port, **options)
    context = ssl.create_default_context(cafile=settings.ca_file)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # asked for by `verify: false`; urllib3 would say it at every statement
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return _TlsPool(settings.host, settings.port, ssl_context=context, **options)


@contextmanager
def network_errors(settings: ClickHouseSettings, doing: str) -> Iterator[None]:
    """Whatever happens to the connection is transient, but for a certificate that does not convince."""
    try:
        yield
    except urllib3.exceptions.SSLError as error:
        raise StoreError(
            f"expected a trusted TLS certificate at {settings.address}, found: {error}; "
            "set the server's certificate authority (ca_file) in the ClickHouse settings",
            statement=doing,
            destination="clickhouse",
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise ConnectionLostError(
            f"expected an answer from ClickHouse at {settings.address} during {doing}, {_found(error, settings)}",
            destination="clickhouse",
        ) from error


class _Patient:
    """urllib3 sends under the limit of connecting, which is short, and counts it for all that is sent at once: a server
    that is busy with the rows it has, or far away, would be given up. It has as long as for an answer."""

    def __init__(self, *arguments: Any, answer_seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._answer_seconds = answer_seconds

    def endheaders(self, *arguments: Any, **named: Any) -> None:
        super().endheaders(*arguments, **named)  # type: ignore[misc]
        self.sock.settimeout(self._answer_seconds)  # type: ignore[attr-defined]


class _Connection(_Patient, HTTPConnection): ...


class _TlsConnection(_Patient, HTTPSConnection): ...


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _found(error: urllib3.exceptions.HTTPError, settings: ClickHouseSettings) -> str:
    causes = list(_causes(error))
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError) and not is_refused:
        return f"found no connection within {CONNECT_SECONDS} s; is the server up, and can it be reached?"
    if any(isinstance(each, TimeoutError | urllib3.exceptions.ReadTimeoutError) for each in causes):
        return (
            f"found none within {settings.timeout_seconds + _SERVER_FIRST_SECONDS} s; does the server still answer, "
            "and if so, does it need longer (clickhouse.timeout_seconds)?"
        )
    said = next((each.strerror for each in causes if isinstance(each, OSError) and each.strerror), None)
    return f"the connection failed: {said or 'it ended before the answer'}; is the server up?"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """urllib3 keeps what happened in the arguments of its own errors, or as their cause."""
    yield error
    below = [each for each in error.args if isinstance(each, BaseException)] + [error.__cause__]
    for each in below:
        if each is not None:
            yield from _causes(each)
