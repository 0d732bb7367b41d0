"""What a Delta table's own log says of our commits, read as the small JSON objects it is: no Spark job.

Each commit of this loader carries a note (userMetadata) with run, token, digest and counts, and a transaction
(`txn`: `<run_id>:<table>` and a version) by which Delta itself refuses to apply it twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import orjson

from etl.load.s3.files.manifest import result_from
from etl.load.s3.paths import TablePath
from etl.model import LoadResult
from etl.s3.store import ObjectStore

_COMMIT = re.compile(r"_delta_log/(\d{20})\.json$")


@dataclass(frozen=True)
class Commit:
    """One commit of ours; `added` holds the keys of the data files that it brought in, by size."""

    version: int
    run_id: str
    token: str
    digest: str
    transaction: int | None
    result: dict[str, Any]
    metrics: dict[str, str]
    added: dict[str, int]
    rows_added: int
    """As the files' statistics say, which a commit without metrics has."""
    has_deletion_vectors: bool = False
    """Whether some of these files hold rows that are deleted, as a list beside them says."""

    @property
    def bytes_written(self) -> int:
        return sum(self.added.values())

    @property
    def rows_written(self) -> int:
        return int(self.metrics.get("numOutputRows", self.rows_added))

    def load_result(self) -> LoadResult:
        """The note was made before the files were written: their size is known from the commit alone."""
        return replace(result_from(self.result), bytes_written=self.bytes_written)


def application_id(run_id: str, table: str) -> str:
    return f"{run_id}:{table}"


def has_commits(store: ObjectStore, path: TablePath) -> bool:
    """Whether there is a table: a create that was killed leaves folders in the log, but no commit."""
    return any(entry.key.endswith((".json", ".parquet")) for entry in store.objects(path.delta_log_prefix))


def versions(store: ObjectStore, path: TablePath) -> dict[int, str]:
    """Version → key of each commit that still stands as JSON, newest first."""
    found = {}
    for entry in store.objects(path.delta_log_prefix):
        if match := _COMMIT.search(entry.key):
            found[int(match[1])] = entry.key
    return dict(sorted(found.items(), reverse=True))


@dataclass(frozen=True)
class TableSize:
    files: int
    bytes: int


def size_of_version(store: ObjectStore, path: TablePath, version: int) -> TableSize | None:
    """By the checksum file that Delta writes beside a commit; None where it did not: no writer has to."""
    content = store.get(f"{path.delta_log_prefix}{version:020d}.crc")
    if content is None:
        return None
    facts = orjson.loads(content)
    return TableSize(facts["numFiles"], facts["tableSizeBytes"])


def commits(store: ObjectStore, path: TablePath, keys: Mapping[int, str]) -> list[Commit]:
    """Ours among these (`versions`), newest first. Delta keeps commits for 30 days unless the table says otherwise."""
    contents = store.get_many(keys.values())
    parsed = (_parse(version, content, path) for version, content in zip(keys, contents, strict=True) if content)
    return [commit for commit in parsed if commit]


def commits_of_run(store: ObjectStore, path: TablePath, run_id: str) -> list[Commit]:
    return [commit for commit in commits(store, path, versions(store, path)) if commit.run_id == run_id]


def commit_of_token(store: ObjectStore, path: TablePath, token: str) -> Commit | None:
    """The newest commit of one call of `load`: among the last few, or not there."""
    for version, key in list(versions(store, path).items())[:20]:
        content = store.get(key)
        commit = _parse(version, content, path) if content else None
        if commit and commit.token == token:
            return commit
    return None


def _parse(version: int, content: bytes, path: TablePath) -> Commit | None:
    actions = [orjson.loads(line) for line in content.splitlines() if line]
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    note = _note(info.get("userMetadata"))
    if note is None:
        return None
    transaction = next((action["txn"]["version"] for action in actions if "txn" in action), None)
    adds = [action["add"] for action in actions if "add" in action]
    return Commit(
        version=version,
        run_id=note["run_id"],
        token=note["token"],
        digest=note["digest"],
        transaction=transaction,
        result=note["result"],
        metrics=info.get("operationMetrics", {}),
        added={path.prefix + unquote(add["path"]): add["size"] for add in adds},
        has_deletion_vectors=any(add.get("deletionVector") for add in adds),
        rows_added=sum(orjson.loads(add.get("stats") or "{}").get("numRecords", 0) for add in adds),
    )


def _note(text: str | None) -> dict[str, Any] | None:
    """Ours, or None: other writers put what they like there."""
    try:
        note = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return None
    ours = isinstance(note, dict) and {"run_id", "token", "digest", "result"} <= note.keys()
    return note if ours else None
