"""Files and batches for the tests of the sources."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa

from etl.staging.batch.records import RawBatch
from etl.staging.sources.base import Format, Source
from etl.staging.sources.files import FileSource

LONGEST = 1 << 16

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: bytes(pa.compress(content, codec="zstd", asbytes=True)),
}


def write(path: Path, content: bytes) -> Path:
    """Packed as the name says."""
    pack = PACKERS.get(path.suffix, bytes)
    path.write_bytes(pack(content))
    return path


def source_of(form: Format, *files: Path) -> FileSource:
    return FileSource(form, files)


def records_of(batches: Sequence[RawBatch]) -> list[bytes]:
    return list(chain.from_iterable(batch.records for batch in batches))


def check_batches(source: Source, batch_size: int) -> list[RawBatch]:
    """All batches, after it is proved that each can be read again, and that reading goes on behind each."""
    batches = list(source.batches(batch_size))
    assert [batch.index for batch in batches] == list(range(len(batches)))
    ordinals = list(chain.from_iterable(batch.ordinals for batch in batches))
    assert ordinals == list(range(len(records_of(batches))))
    for batch in batches:
        assert 0 < len(batch.records) <= batch_size
        assert source.read_again(batch.index, batch.position) == batch
        assert list(source.batches(batch_size, (batch.index, batch.position))) == batches[batch.index + 1 :]
    return batches
