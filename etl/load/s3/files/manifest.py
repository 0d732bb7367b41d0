"""The metadata of each load, kept beside the data: what stands there, who wrote it, and what it amounted to.

_etl/manifest.json         what the latest load left; written after its files, before the old ones are deleted
_etl/loads/{run_id}.json   the same of each run, kept
_etl/publishing/*.json     an intent: stands only while files are being exchanged (exchange.py)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from etl.load.s3.paths import TablePath
from etl.model import Destination, LoadResult, WriteMode
from etl.s3.store import ObjectStore, StoredObject


@dataclass(frozen=True)
class Manifest:
    """`digest` stands for the rows of this load; they are all that stands in the target where `is_whole` says so.

    `token` is unique for each call of `load`: by it a load knows its own work after a lost answer. `schema` is
    Spark's own JSON, `partition_date` included. `files` maps the key of each current file to its size and rows;
    Delta keeps its own list, there `version` is the commit's.
    """

    token: str
    run_id: str
    table: str
    format: str
    written_at: str
    schema: str
    result: dict[str, Any]
    digest: str
    is_whole: bool
    checksums: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    version: int | None = None

    def load_result(self) -> LoadResult:
        return result_from(self.result)

    def lists(self, objects: list[StoredObject]) -> bool:
        """Whether exactly these objects, by key and size, are what the manifest knows."""
        return {entry.key: entry.size for entry in objects} == {key: size for key, (size, _) in self.files.items()}


def read_manifest(store: ObjectStore, path: TablePath) -> Manifest | None:
    return _parse(store.get(path.manifest_key))


def read_load(store: ObjectStore, path: TablePath, run_id: str) -> Manifest | None:
    """What this run left; None where it published nothing here."""
    return _parse(store.get(path.load_key(run_id)))


def write_manifest(store: ObjectStore, path: TablePath, manifest: Manifest) -> None:
    content = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
    store.put(path.manifest_key, content)
    store.put(path.load_key(manifest.run_id), content)


def result_to(result: LoadResult) -> dict[str, Any]:
    return asdict(result)


def result_from(facts: dict[str, Any]) -> LoadResult:
    known = {"destination": Destination(facts["destination"]), "mode": WriteMode(facts["mode"])}
    return LoadResult(**{**facts, **known, "notes": tuple(facts.get("notes", ()))})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _parse(content: bytes | None) -> Manifest | None:
    return Manifest(**orjson.loads(content)) if content else None
