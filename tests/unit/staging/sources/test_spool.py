from __future__ import annotations

import io
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.staging.sources.base import Format
from etl.staging.sources.csv import CsvFormat
from etl.staging.sources.json_array import JsonArrayFormat
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.sources.spool import Spool, SpooledSource
from etl.staging.sources.streams import StandardInput
from tests.unit.staging.sources.support import LONGEST, records_of


def piped(tmp_path: Path, content: bytes, form: Format | None = None) -> SpooledSource:
    stream = StandardInput(form or NdjsonFormat(LONGEST), lambda: io.BytesIO(content))
    return SpooledSource(stream, Spool(tmp_path / "spool")).for_run("run-1")


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "spool").iterdir())


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (NdjsonFormat(LONGEST), b'{"a": 1.10}\n\n\xff\r\n{"a": 2}\n'),
        (JsonArrayFormat(LONGEST), b'[{\n"a": 1.10\n}, "\xff", {"a": 2}]'),
        (CsvFormat(LONGEST), b'a,b\n1,"x\ny"\n1,2,"\n"\n"\n\xff",1\n'),
        (CsvFormat(10), b'a\n"xxxxxx\nxxxxxx"\n2\n3\n'),
    ],
)
def test_a_pipe_is_read_again_record_by_record_the_same(tmp_path: Path, form: Format, content: bytes) -> None:
    source = piped(tmp_path, content, form)
    batches = list(source.batches(2))
    assert not source.can_be_read_again
    assert [list(batch.ordinals) for batch in batches] == [[0, 1], [2]]
    assert kept(tmp_path) == ["run-1.000000.ndjson", "run-1.000001.ndjson"]
    for batch in batches:
        assert source.read_again(batch.index, batch.position) == batch


def test_a_batch_is_on_the_disk_before_it_is_handed_out(tmp_path: Path) -> None:
    batches = piped(tmp_path, b"1\n2\n3\n").batches(1)
    next(batches)
    assert kept(tmp_path) == ["run-1.000000.ndjson"]
    next(batches)
    assert kept(tmp_path) == ["run-1.000000.ndjson", "run-1.000001.ndjson"]


def test_what_is_stored_is_forgotten_and_the_rest_is_listed(tmp_path: Path) -> None:
    source = piped(tmp_path, b"1\n2\n3\n")
    batches = list(source.batches(1))
    source.forget(1)
    source.forget(1)
    assert kept(tmp_path) == ["run-1.000000.ndjson", "run-1.000002.ndjson"]
    assert source.spool.leftovers() == {"run-1": 2}
    with pytest.raises(SourceError, match=r"batch 1 is not in the spool any more: no file .*run-1.000001.ndjson"):
        source.read_again(1, batches[1].position)
    assert records_of([source.read_again(2, batches[2].position)]) == [b"3"]


def test_an_empty_spool_holds_nothing(tmp_path: Path) -> None:
    assert Spool(tmp_path / "none").leftovers() == {}


def test_a_spool_file_that_lost_records_is_refused(tmp_path: Path) -> None:
    source = piped(tmp_path, b"1\n2\n3\n")
    (batch,) = source.batches(10)
    Path(batch.position["spool"]).write_bytes(b"1\n2\n3")
    with pytest.raises(SourceError, match="expected 3 records, found 2"):
        source.read_again(0, batch.position)


def test_what_was_not_read_cannot_be_gone_on_with(tmp_path: Path) -> None:
    source = piped(tmp_path, b"1\n2\n3\n")
    first = next(source.batches(1))
    with pytest.raises(SourceError, match="cannot be read again behind batch 0"):
        next(source.batches(1, (first.index, first.position)))


def test_places_of_a_pipe_are_those_of_its_format(tmp_path: Path) -> None:
    source = piped(tmp_path, b"1\n\n2\n3\n")
    first, second = source.batches(2)
    assert [source.locate(first, 0), source.locate(first, 1), source.locate(second, 2)] == [
        {"line": 1},
        {"line": 3},
        {"line": 4},
    ]


def test_a_broken_pipe_is_told_after_what_was_whole(tmp_path: Path) -> None:
    batches = piped(tmp_path, b"[1, 2, ", JsonArrayFormat(LONGEST)).batches(10)
    assert next(batches).records == [b"1", b"2"]
    with pytest.raises(SourceError, match="standard input: broken JSON array at element 3"):
        next(batches)


def test_standard_input_is_left_alone_until_it_is_read(tmp_path: Path) -> None:
    def untouched() -> io.BytesIO:
        raise AssertionError("read too early")

    stream = StandardInput(NdjsonFormat(LONGEST), untouched)
    source = SpooledSource(stream, Spool(tmp_path / "spool")).for_run("run-1")
    with pytest.raises(SourceError, match="not in the spool"):
        source.read_again(0, {"spool": str(tmp_path / "none"), "records": 1, "ordinal": 0})


def test_a_spool_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file, no folder")
    with pytest.raises(SourceError, match=r"spool file .* cannot be written"):
        next(piped(tmp_path, b"1\n").batches(1))
