"""Files that are made as they are sent: a page of records at a time, as lines of JSON or of CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

import anyio
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

Record = dict[str, Any]
Pages = Iterator[Sequence[Record]]

_FORMULA = re.compile(
    r"\A(?=[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?=[\s\ufeff\u200b-\u200d\u2060]*[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_SUBCLASS


class JsonText(str):
    """JSON as the database wrote it: parsed it would lose digits."""


class Download(StreamingResponse):
    """NDJSON, or CSV with these columns. The first page is read at once: what is wrong is said by a status, not by a
    file that breaks off. However it ends, what it is read from is let go."""

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
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(_close, self._pages)


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


def _close(pages: Any) -> None:
    pages.close()
