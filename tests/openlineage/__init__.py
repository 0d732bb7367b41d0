"""OpenLineage's events as a server would take them: read, and held against the schemas of its specification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde
from referencing import Registry, Resource

SPECIFICATION = Path(__file__).with_name("spec")
_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

Event = dict[str, Any]


def as_sent(event: RunEvent) -> Event:
    read: Event = json.loads(Serde.to_json(event))
    return read


def require_valid(event: Event) -> None:
    """The event, and each of its facets by the schema that it names; jsonschema.ValidationError, or a facet whose
    schema is not of the specification."""
    assert event["schemaURL"] == _EVENT
    _validator(_EVENT).validate(event)
    for facet in facets_of(event):
        _validator(facet["_schemaURL"]).validate(facet)


def facets_of(event: Event) -> Iterator[Mapping[str, Any]]:
    owners = [event["run"], event["job"], *event.get("inputs", ()), *event.get("outputs", ())]
    for owner in owners:
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from owner.get(kind, {}).values()


@cache
def _validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": reference}, registry=_registry(), format_checker=FormatChecker())


@cache
def _registry() -> Registry[Any]:
    read = [json.loads(file.read_text()) for file in SPECIFICATION.rglob("*.json")]
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in read)
