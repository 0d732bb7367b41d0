"""The comment of a target is its proof: it says which loads stand in it, and is exchanged together with the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from etl.model import Destination, LoadResult, WriteMode

_REMEMBERED_LOADS = 8


@dataclass(frozen=True)
class StatedTtl:
    """A TTL that an entry has asked for, and as it stood in the table then: what differs from it somebody else has set.
    Both as the server formats them."""

    entry: str
    table: str


@dataclass(frozen=True)
class PublishedLoad:
    """One load that the target holds. `load_id` is unique to one call of `load`."""

    run_id: str
    load_id: str
    mode: str
    rows_in: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_skipped: int
    rows_rejected: int
    rows_deleted: int
    bytes_written: int
    seconds: float

    @classmethod
    def of(cls, result: LoadResult, run_id: str, load_id: str) -> PublishedLoad:
        return cls(
            run_id,
            load_id,
            result.mode.value,
            result.rows_in,
            result.rows_inserted,
            result.rows_updated,
            result.rows_unchanged,
            result.rows_skipped,
            result.rows_rejected,
            result.rows_deleted,
            result.bytes_written,
            round(result.seconds, 3),
        )

    def result(self, table_name: str, target: str) -> LoadResult:
        counts = {name: value for name, value in asdict(self).items() if name not in ("run_id", "load_id", "mode")}
        return LoadResult(table_name, Destination.CLICKHOUSE, target, WriteMode(self.mode), **counts)


def add_load(comment: str, load: PublishedLoad, ttl: StatedTtl | None = None) -> str:
    """The comment with this load on top of the latest ones; a comment of the operator's own stays in it."""
    marker = _parse(comment)
    marker.pop("etl_ttl", None)
    if ttl:
        marker["etl_ttl"] = asdict(ttl)
    marker["etl_loads"] = [asdict(load), *marker["etl_loads"]][:_REMEMBERED_LOADS]
    return orjson.dumps(marker).decode()


def published_loads(comment: str) -> list[PublishedLoad]:
    """The latest loads that the target holds, newest first."""
    return [PublishedLoad(**load) for load in _parse(comment)["etl_loads"]]


def stated_ttl(comment: str) -> StatedTtl | None:
    stated = _parse(comment).get("etl_ttl")
    return StatedTtl(**stated) if stated else None


def _parse(comment: str) -> dict[str, Any]:
    try:
        marker = orjson.loads(comment)
    except orjson.JSONDecodeError:
        marker = None
    if isinstance(marker, dict) and isinstance(marker.get("etl_loads"), list):
        return marker
    return {"comment": comment, "etl_loads": []} if comment else {"etl_loads": []}
