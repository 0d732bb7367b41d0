"""Days past a table's retention, of plain files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import uuid4

from etl.load.s3.files.exchange import Publication, repair
from etl.load.s3.files.manifest import now, read_manifest
from etl.load.s3.job import Place
from etl.load.s3.paths import partition_date_of
from etl.load.s3.table import Retention
from etl.s3.store import StoredObject

_RETENTION_RUN = "retention"


def expire(place: Place, cutoff: date, *, apply: bool) -> Retention:
    if apply:
        repair(place.store, place.path)
    expired = [
        entry
        for entry in place.store.objects(place.path.prefix)
        if place.path.is_data(entry.key) and (day := partition_date_of(entry.key)) is not None and day < cutoff
    ]
    if apply and expired:
        _delete(place, expired)
    days = {day for entry in expired if (day := partition_date_of(entry.key))}
    size = sum(entry.size for entry in expired)
    return Retention(place.table, cutoff, tuple(sorted(days)), None, len(expired), size, applied=apply)


def _delete(place: Place, expired: list[StoredObject]) -> None:
    """As a load exchanges files: killed half-way, the next one finishes it."""
    keys = [entry.key for entry in expired]
    manifest = read_manifest(place.store, place.path)
    if manifest is None:
        place.store.delete(keys)
        return
    token = uuid4().hex
    kept = {key: facts for key, facts in manifest.files.items() if key not in set(keys)}
    publication = Publication(place.store, place.path, token, _RETENTION_RUN)
    publication.show([], keys)
    publication.settle(replace(manifest, token=token, written_at=now(), is_whole=False, files=kept))
