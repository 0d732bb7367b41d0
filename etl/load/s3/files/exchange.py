"""Exchanges a table's files: the new ones appear, the manifest says so, the old ones go.

An intent is written first and removed last, so that whoever comes after a kill knows which half to finish: if the
manifest is already the new one, the old files go; if not, the new ones do. At every moment the former or the new rows
are all there; between the first new file and the last deletion a reader of the bare folder sees both. Readers that
must not see this use Delta tables, which publish by one commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson

from etl.load.s3.files.manifest import Manifest, read_manifest, write_manifest
from etl.load.s3.paths import TablePath, run_hash
from etl.s3.store import ObjectStore, StagedFile


@dataclass(frozen=True)
class Intent:
    """`new` pairs each new key with its upload: by these an exchange is taken back, however far it came."""

    token: str
    run: str
    new: tuple[tuple[str, str], ...]
    old_keys: tuple[str, ...]


class Publication:
    """One exchange. `show`, then either `settle` or `withdraw`."""

    def __init__(self, store: ObjectStore, path: TablePath, token: str, run_id: str) -> None:
        self._store, self._path = store, path
        self._token, self._run = token, run_hash(run_id)
        self._old_keys: tuple[str, ...] = ()
        self._new: tuple[tuple[str, str], ...] = ()

    @property
    def _intent_key(self) -> str:
        return f"{self._path.intent_prefix}{self._run}-{self._token}.json"

    def show(self, files: Sequence[StagedFile], old_keys: Sequence[str]) -> None:
        """Makes the staged files appear beside the old ones."""
        self._new, self._old_keys = tuple((file.key, file.upload_id) for file in files), tuple(old_keys)
        intent = Intent(self._token, self._run, self._new, self._old_keys)
        self._store.put(self._intent_key, orjson.dumps(asdict(intent)))
        self._store.complete(files)

    def settle(self, manifest: Manifest) -> None:
        """From here on the new files are the table."""
        write_manifest(self._store, self._path, manifest)
        self._store.delete(self._old_keys)
        self._store.delete([self._intent_key])

    def withdraw(self) -> None:
        """Takes the new files back; the table is what it was."""
        self._store.abort(self._new)
        self._store.delete([key for key, _ in self._new])
        self._store.delete([self._intent_key])


def repair(store: ObjectStore, path: TablePath, live: frozenset[str] = frozenset()) -> list[str]:
    """Finishes what killed loads left half-done, forwards or backwards; returns the keys it deleted.

    `live` holds the hashes of runs that still write here: theirs is left alone.
    """
    intents = [entry.key for entry in store.objects(path.intent_prefix)]
    if not intents:
        return []
    manifest = read_manifest(store, path)
    deleted: list[str] = []
    for key, content in zip(intents, store.get_many(intents), strict=True):
        if content is None:
            continue
        intent = Intent(**orjson.loads(content))
        if intent.run in live:
            continue
        was_published = manifest is not None and manifest.token == intent.token
        leftover = list(intent.old_keys) if was_published else [new_key for new_key, _ in intent.new]
        if not was_published:
            store.abort((new_key, upload_id) for new_key, upload_id in intent.new)
        store.delete([*leftover, key])
        deleted += leftover
    return deleted
