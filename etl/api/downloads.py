"""Files that are made as they are sent: a page of records at a time, as lines of JSON or of CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

import anyio
import orjson
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

Record = dict[str, Any]
Pages = Generator[Sequence[Record], None, None]

PATIENCE_SECONDS = 60.0
"""With a reader who takes nothing any more."""
LONGEST_SECONDS = 6 * 60 * 60.0

_FORMULA = re.compile(
    r"\A(?=[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?=[\s\ufeff\u200b-\u200d\u2060]*[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_SUBCLASS


class JsonText(str):
    """JSON as the database wrote it: parsed it would lose digits."""


class Download(StreamingResponse):
    """NDJSON, or CSV with these columns. The first page is read at once: what is wrong is said by a status, not by a
    file that breaks off. One that takes too long does break off, which its client sees by the missing end. However it
    ends, what it is read from is let go."""

    def __init__(self, pages: Pages, name: str, columns: Sequence[str] | None) -> None:
        first = next(pages, None)
        whole = chain([] if first is None else [first], pages)
        suffix, media_type = ("ndjson", "application/x-ndjson") if columns is None else ("csv", "text/csv")
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{suffix}"',
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
        super().__init__(
            ndjson(whole) if columns is None else csv_lines(whole, columns), headers=headers, media_type=media_type
        )
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patient(message: Message) -> None:
            with anyio.move_on_after(PATIENCE_SECONDS) as one:
                await send(message)
            if one.cancelled_caught:
                whole.cancel()

        try:
            with anyio.move_on_after(LONGEST_SECONDS) as whole:
                await super().__call__(scope, receive, patient)
            if whole.cancelled_caught:
                log.warning("download broken off", path=scope["path"], reason="its reader took nothing, or too long")
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._pages.close)


def ndjson(pages: Iterable[Sequence[Record]]) -> Iterator[bytes]:
    return (b"".join(orjson.dumps(record, default=_as_it_is, option=_OPTIONS) for record in page) for page in pages)


def csv_lines(pages: Iterable[Sequence[Record]], columns: Sequence[str]) -> Iterator[bytes]:
    """With a header, also where there is no record."""
    lines = (_written([_cell(record[column]) for column in columns] for record in page) for page in pages)
    return chain([_written([columns])], lines)


def neutralised(text: str) -> str:
    """What a spreadsheet would take for a formula is text to it behind an apostrophe: at the beginning, with blanks or
    signs of full width as well, and where one that cuts lines at semicolons or tabs begins another cell."""
    return _FORMULA.sub("'", text)


def _as_it_is(value: Any) -> orjson.Fragment:
    if isinstance(value, JsonText):
        return orjson.Fragment(value.encode())
    raise TypeError(f"no JSON: {type(value).__name__}")


def _cell(value: Any) -> Any:
    """Numbers stay as they are: a negative one is no formula."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return neutralised(value if isinstance(value, str) else orjson.dumps(value).decode())


def _written(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return text.getvalue().encode()
