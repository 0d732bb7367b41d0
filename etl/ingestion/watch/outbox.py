"""The uploader's outbox of alerts: asked by threads, answered by asyncpg on the event loop."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from etl.alerts.outbox import MESSAGE_OF_RUN, outbox_statements
from etl.errors import OverloadedError
from etl.ingestion.database.connection import Connection, door, transaction
from etl.ingestion.database.settings import Dsn

TABLE = "ingestion_alerts"
PATIENCE_SECONDS = 60.0

_NAMED = re.compile(r"%\((\w+)\)s")


class UploadOutbox:
    """On one connection; a question at a time. Made on the event loop, and asked in other threads alone."""

    def __init__(self, connection: Connection, dsn: Dsn, limits: Sequence[str]) -> None:
        self._connection = connection
        self._dsn = dsn
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._statements = outbox_statements(TABLE, MESSAGE_OF_RUN)

    def at_once(self, name: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        asked = asyncio.run_coroutine_threadsafe(self._ask(self._statements[name], values or {}), self._loop)
        try:
            return asked.result(PATIENCE_SECONDS)
        except TimeoutError as error:
            asked.cancel()
            raise OverloadedError(f"tell of uploads: no answer within {PATIENCE_SECONDS:g} s") from error

    async def _ask(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows: list[Any] = []
        async with self._turn:
            with door(self._dsn, "tell of uploads"):
                async with transaction(self._connection, *self._limits):
                    for statement in text.rstrip(";").split(";\n"):
                        rows = await self._connection.fetch(*_positional(statement, values))
        return [_decoded(row) for row in rows]


def _positional(statement: str, values: Mapping[str, Any]) -> list[Any]:
    """The statement with $1, $2, … for its names, and their values in that order."""
    names = list(dict.fromkeys(_NAMED.findall(statement)))
    numbers = {name: f"${number}" for number, name in enumerate(names, 1)}
    return [_NAMED.sub(lambda found: numbers[found[1]], statement), *(values[name] for name in names)]


def _decoded(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = dict(row)
    if "facts" in plain:
        plain["facts"] = orjson.loads(plain["facts"])
    return plain
