"""The OpenAPI document, from which the page's TypeScript client is generated."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from etl import __version__
from etl.api.models import Change, Problem
from etl.api.problems import MEDIA_TYPE

_SCHEMAS = "#/components/schemas/{model}"


def document_of(app: FastAPI) -> dict[str, Any]:
    """As FastAPI makes it, with what all routes have in common: their problems."""
    document = get_openapi(
        title=app.title, version=__version__, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    schemas = document["components"]["schemas"]
    for model in (Problem, Change):  # Change: the data of an event
        own = model.model_json_schema(ref_template=_SCHEMAS)
        schemas.update(own.pop("$defs", {}))
        schemas[model.__name__] = own
    problem = {
        "description": "What went wrong instead",
        "content": {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS.format(model=Problem.__name__)}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def as_file(document: dict[str, Any]) -> bytes:
    """As it is committed."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
