"""Options that go into the manifest and come out again as they were."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from etl.ingestion.model import (
    BadRows,
    CopyPath,
    CsvOptions,
    FileType,
    Header,
    Mode,
    NulCharacters,
    OrderColumn,
    TolerantMode,
    UploadOptions,
)
from etl.ingestion.upload.stored_options import cut_otherwise, options_from_json, options_json

OPTIONS = UploadOptions(
    files=("a.csv", "b.csv"),
    table="sales.orders",
    headers=(Header("id", "bigint"), Header("name")),
    primary_key=("id",),
    file_type=FileType.CSV,
    mode=Mode.APPEND,
    chunk_size=1000,
    csv=CsvOptions(delimiter=";", null="-", tolerant=TolerantMode.EMPTY, nul_characters=NulCharacters.STRIP),
    bad_rows=BadRows.REJECT,
    maximum_rejected="5%",
    dedup_order_by=(OrderColumn("name", descending=False),),
    timezone="Europe/Vienna",
    copy_path=CopyPath.RECORDS,
)


def stored(options: UploadOptions) -> dict[str, Any]:
    """As it comes back from a jsonb column."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(options_json(options)))
    return found


def test_they_come_back_as_they_were_for_another_file() -> None:
    back = options_from_json(stored(OPTIONS), ("c.csv",))
    assert back == replace(OPTIONS, files=("c.csv",))


def test_what_belongs_to_one_call_is_not_kept() -> None:
    call = replace(OPTIONS, resume=True, restart=True, dry_run=True, run_id="nightly")
    kept = stored(call)
    assert kept == stored(OPTIONS)
    assert {field.name for field in fields(UploadOptions)} - set(kept) == {
        "files",
        "resume",
        "restart",
        "dry_run",
        "run_id",
    }


def test_what_another_version_has_stored_is_refused() -> None:
    with pytest.raises(ValidationError):
        options_from_json({**stored(OPTIONS), "mode": "replace"}, ("c.csv",))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"headers": (Header("id", "bigint"),)}, "headers"),
        ({"headers": (Header("name"), Header("id", "bigint"))}, "headers"),
        ({"csv": CsvOptions(delimiter="|")}, "csv"),
        ({"copy_path": CopyPath.AUTO}, "copy_path"),
    ],
)
def test_what_cuts_the_file_otherwise_is_named(change: dict[str, Any], name: str) -> None:
    assert cut_otherwise(stored(OPTIONS), replace(OPTIONS, **change)) == [name]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"files": ("c.csv",)},
        {"resume": True},
        {"concurrency": 1},
        {"chunk_size": 7},
        {"max_retries": 0},
        {"bad_rows": BadRows.FAIL},
        {"timezone": "UTC"},
        {"run_id": "again"},
    ],
)
def test_what_cuts_it_alike_is_not(change: dict[str, Any]) -> None:
    assert cut_otherwise(stored(OPTIONS), replace(OPTIONS, **change)) == []


def test_options_that_are_missing_cut_otherwise() -> None:
    assert cut_otherwise({}, OPTIONS) == ["headers", "csv", "copy_path"]
