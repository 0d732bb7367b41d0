"""The only way to ClickHouse: HTTP, with every error sorted into transient or terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import urllib3

from etl.clickhouse.connections import network_errors, pool_of
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.errors import (
    ConnectionLostError,
    ContentionError,
    DataError,
    EtlError,
    OverloadedError,
    StoreError,
    TransientError,
)

_CONNECTION_LOST = {
    "32": "the stream broke off",
    "159": "the server's time limit",
    "198": "a host name that does not resolve",
    "209": "a socket timeout",
    "210": "a network error",
    "236": "an aborted operation",
    "279": "no connection to the server's peers",
    "394": "a cancelled query",
}
_OVERLOADED = {
    "201": "a quota",
    "202": "too many simultaneous queries",
    "241": "the memory limit",
    "252": "too many parts",
    "439": "no free thread",
    "745": "an overloaded server",
}
_CONTENTION = {
    "242": "a table that is read-only right now",
    "319": "an insert of unknown outcome",
    "341": "an unfinished mutation",
    "473": "a lock that another statement holds",
    "517": "an alter that another alter delays",
    "999": "a coordination error",
}
_TRANSIENT: dict[type[TransientError], dict[str, str]] = {
    ConnectionLostError: _CONNECTION_LOST,
    OverloadedError: _OVERLOADED,
    ContentionError: _CONTENTION,
}
_NEXT_STEPS = {
    "81": "; create the database (engine Atomic) or name another one",
    "159": "; raise clickhouse.timeout_seconds",
    "164": "; give the user a profile without readonly",
    "497": "; grant the user what the statement needs",
    "516": "; check user and password in ETL_CLICKHOUSE_URL",
}
_DATA = {"69", "321", "349", "407", "131"}
_GATEWAY_STATUSES = {429, 502, 503, 504}

SESSION_SETTINGS: Mapping[str, str | int] = {
    # a 200 is only sent once the statement is done
    "wait_end_of_query": 1,
    # nothing is buffered, defaulted or clamped behind our back
    "async_insert": 0,
    "input_format_null_as_default": 0,
    "input_format_arrow_allow_missing_columns": 0,
    "date_time_overflow_behavior": "throw",
    # the fast parser is off in the last digits of every third double
    "precise_float_parsing": 1,
    # the version of rows is a column that SELECT * hides, and we write it
    "insert_allow_materialized_columns": 1,
    # a year of daily partitions in one insert is meant
    "max_partitions_per_insert_block": 0,
    # one key is one row wherever it stands
    "do_not_merge_across_partitions_select_final": 0,
    "lightweight_deletes_sync": 2,
    "mutations_sync": 2,
    "alter_sync": 2,
    # a new TTL is of the rows that stand, too
    "materialize_ttl_after_modify": 1,
    "session_timezone": "UTC",
    # a statement over 1,600 columns is long, and meant
    "max_query_size": 64 * 1024 * 1024,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
    "output_format_json_quote_64bit_integers": 0,
    # a classification of many millions of keys spills to disk before it takes the server's memory
    "max_bytes_before_external_group_by": 2_000_000_000,
}


class Told(NamedTuple):
    """What the server says of a statement that is done; `body` is what it printed, in the format it was asked for."""

    read_rows: int
    written_rows: int
    body: bytes


class ClickHouseDoor:
    """Connections of one load to one server, kept alive between statements. Close it, or use it in `with`."""

    def __init__(self, settings: ClickHouseSettings, *, lock_timeout_seconds: int = 30) -> None:
        self._settings = settings
        self._lock_timeout_seconds = lock_timeout_seconds
        self._pool = pool_of(settings)

    def __enter__(self) -> ClickHouseDoor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.close()

    def execute(self, statement: str, *, parameters: Mapping[str, str] | None = None) -> None:
        self._post(statement.encode(), self._limit, parameters or {}, statement)

    def told(self, statement: str, *, parameters: Mapping[str, str] | None = None, query_id: str = "") -> Told:
        """Executes a statement that others can find by its id, and end by KILL QUERY."""
        extra = {**self._limit, "query_id": query_id} if query_id else self._limit
        response = self._post(statement.encode(), extra, parameters or {}, statement)
        summary = orjson.loads(response.headers.get("X-ClickHouse-Summary") or "{}")
        return Told(int(summary.get("read_rows", 0)), int(summary.get("written_rows", 0)), response.data)

    def query(self, statement: str, *, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
        """The rows of a SELECT; 64-bit integers are Python integers."""
        response = self._post(
            statement.encode(), {"default_format": "JSONCompact", **self._limit}, parameters or {}, statement
        )
        rows: list[list[Any]] = orjson.loads(response.data)["data"]
        return rows

    @property
    def _limit(self) -> dict[str, str | int]:
        """Of a statement; an insert takes as long as its rows come."""
        return {"max_execution_time": self._settings.timeout_seconds}

    def insert(self, statement: str, body: bytes | Iterable[bytes]) -> None:
        """Sends `body` after the statement; an iterable is streamed in chunks as it comes."""
        self._post(body, {"query": statement}, {}, statement)

    def _post(
        self,
        body: bytes | Iterable[bytes],
        extra: Mapping[str, str | int],
        parameters: Mapping[str, str],
        statement: str,
    ) -> urllib3.BaseHTTPResponse:
        fields: dict[str, str | int] = {
            **SESSION_SETTINGS,
            "database": self._settings.database,
            "lock_acquire_timeout": self._lock_timeout_seconds,
            **extra,
            **{f"param_{name}": _parameter(value) for name, value in parameters.items()},
        }
        with network_errors(self._settings, _title(statement)):
            response = self._pool.request("POST", f"/?{urlencode(fields)}", body=body)
        if response.status != 200 or "X-ClickHouse-Exception-Code" in response.headers:
            raise _refusal(response, self._settings, statement)
        return response


def _refusal(response: urllib3.BaseHTTPResponse, settings: ClickHouseSettings, statement: str) -> EtlError:
    code = response.headers.get("X-ClickHouse-Exception-Code", "")
    said = _exception(response.data.decode("utf-8", "replace"))
    if not code and response.status in _GATEWAY_STATUSES:
        where = f"ClickHouse at {settings.address}"
        return OverloadedError(
            f"{where}: HTTP {response.status} from a gateway: {said[:1000]}", destination="clickhouse"
        )
    return server_error(code, said, settings, _title(statement))


def _exception(body: str) -> str:
    """What the server says, also where it has put it into the format that was asked for."""
    try:
        return str(orjson.loads(body)["exception"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body


def server_error(code: str, said: str, settings: ClickHouseSettings, step: str) -> EtlError:
    """What the server's exception code means to a load; `said` is its message, `step` what we were about."""
    where = f"ClickHouse at {settings.address} during {step}"
    said = said.strip()[:1000]
    for kind, codes in _TRANSIENT.items():
        if code in codes:
            return kind(
                f"{where}: {codes[code]} (code {code}): {said}{_NEXT_STEPS.get(code, '')}", destination="clickhouse"
            )
    if code in _DATA:
        return DataError(f"{where}: a value that the column cannot hold: {said}", destination="clickhouse")
    return StoreError(
        f"{where}: refused with code {code or 'none'}: {said}{_NEXT_STEPS.get(code, '')}",
        statement=step,
        destination="clickhouse",
    )


def _title(statement: str) -> str:
    """The statement's first words, for messages: never its values."""
    return " ".join(statement.split()[:4])


def _parameter(value: str) -> str:
    """Query parameters are read as TSV fields."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
