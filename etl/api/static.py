"""The built page: hashed files for ever, index.html anew each time, and index.html for whatever path the page knows."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

from etl.api.problems import LEFT_OVER, is_of_api, no_such_route

PAGE_DIRECTORY = Path(__file__).parent / "page"
HOME = "/etl/data-loader"

_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_FOR_EVER = "public, max-age=31536000, immutable"
_NEVER = "no-store"
_NOT_BUILT = "The page is not built yet: run `scripts/setup.sh --page`, which builds it. The API is under /api.\n"


def install(app: FastAPI, directory: Path = PAGE_DIRECTORY) -> None:
    """After all routes of the API: this one takes what they leave."""

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False, name=LEFT_OVER)
    def page(path: str, request: Request) -> Response:
        if is_of_api(request.url.path):
            raise no_such_route(request)
        if not path:
            return RedirectResponse(HOME)
        file = _file(directory, path)
        if file is not None:
            return _answer(file, request, _FOR_EVER if path.startswith("assets/") else _NEVER)
        index = directory / "index.html"
        if "." in path.rpartition("/")[2] or path.startswith("assets/"):  # a file's name: not a path of the page
            return PlainTextResponse("not found\n", 404, headers={"Cache-Control": _NEVER})
        if not index.is_file():
            return PlainTextResponse(_NOT_BUILT, 503, headers={"Cache-Control": _NEVER})
        return _answer(index, request, _NEVER)


def _file(directory: Path, path: str) -> Path | None:
    """Never one outside."""
    try:
        found = (directory / path).resolve()
        return found if found.is_file() and found.is_relative_to(directory.resolve()) else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _answer(file: Path, request: Request, cache_control: str) -> Response:
    """Packed where the browser takes it and the build has made it."""
    headers = {"Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    accepted = {each.partition(";")[0].strip() for each in request.headers.get("accept-encoding", "").split(",")}
    for encoding, suffix in _ENCODINGS:
        packed = file.with_name(file.name + suffix)
        if encoding in accepted and packed.is_file():
            return FileResponse(packed, headers={**headers, "Content-Encoding": encoding}, media_type=media_type)
    return FileResponse(file, headers=headers, media_type=media_type)
