"""Everything wrong with a call, at once and before anything is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.ingestion.model import BadRows, CsvOptions, Header, Mode, OrderColumn, UploadOptions
from etl.ingestion.upload.checks import faults_of

GOOD = UploadOptions(
    files=("a.csv",),
    table="sales.orders",
    headers=(Header("id", "bigint"), Header("name"), Header("updated_at")),
    primary_key=("id",),
    dedup_order_by=(OrderColumn("updated_at"),),
    timezone="Europe/Vienna",
    run_id="nightly-2026-11-21",
)


def test_good_options_have_no_fault() -> None:
    assert faults_of(GOOD) == ()
    assert faults_of(replace(GOOD, mode=Mode.APPEND, primary_key=(), dedup_order_by=())) == ()


@pytest.mark.parametrize("name", ["1st", "a b", "a;b", 'a"b', "é", "", "drop table x", "a\n", "a.b"])
def test_only_plain_identifiers_pass_anywhere(name: str) -> None:
    bad = replace(GOOD, headers=(*GOOD.headers, Header(name)))
    assert any(fault.startswith(f"--headers: {name!r} ") for fault in faults_of(bad))
    assert any(fault.startswith("--pk: ") for fault in faults_of(replace(GOOD, primary_key=(name,))))
    assert faults_of(replace(GOOD, table=f"public.{name}"))
    assert faults_of(replace(GOOD, dedup_order_by=(OrderColumn(name),)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"table": ""}, "--table is missing"),
        ({"table": "a.b.c"}, "expected NAME or SCHEMA.NAME"),
        ({"table": "t" * 64}, "PostgreSQL would cut it off at 63"),
        ({"headers": ()}, "--headers is missing"),
        ({"headers": (Header("id"), Header("id"))}, "--headers: 'id' stands 2 times"),
        ({"headers": (Header("id", "text); DROP TABLE x; --"),)}, "--headers id: unknown PostgreSQL type"),
        ({"headers": tuple(Header(f"c{n}") for n in range(1601)), "primary_key": ("c1",)}, "at most 1600"),
        ({"primary_key": ()}, "--pk is missing"),
        ({"primary_key": ("nope",)}, "--pk: 'nope' is not among --headers"),
        ({"mode": Mode.APPEND}, "--dedup-order-by goes with --mode upsert only"),
        ({"chunk_size": 0}, "--chunk-size 0: expected 1 to"),
        ({"concurrency": 65}, "--concurrency 65: expected 1 to 64"),
        ({"max_retries": -1}, "--max-retries -1: expected 0 to 20"),
        ({"lock_timeout_seconds": -1}, "--lock-timeout -1"),
        ({"timezone": "Mars/Olympus"}, "--timezone 'Mars/Olympus' is not known"),
        ({"timezone": "UTC'; DROP TABLE x; --"}, "is not known"),
        ({"run_id": "a b"}, "--run-id 'a b'"),
        ({"maximum_rejected": "5"}, "--maximum-rejected goes with --rejects reject"),
        ({"bad_rows": BadRows.REJECT, "maximum_rejected": "5x"}, "--maximum-rejected: expected a number of rows or a"),
        ({"bad_rows": BadRows.REJECT, "maximum_rejected": "101%"}, "--maximum-rejected: expected a number of rows"),
        ({"resume": True, "restart": True}, "--resume and --restart exclude"),
        ({"csv": CsvOptions(delimiter="||")}, "--delimiter '||'"),
        ({"csv": CsvOptions(delimiter="é")}, "--delimiter 'é'"),
        ({"csv": CsvOptions(quotechar="\n")}, "--quotechar"),
        ({"csv": CsvOptions(delimiter='"')}, "are the same"),
        ({"csv": CsvOptions(null="a,b")}, "--null 'a,b'"),
        ({"csv": CsvOptions(encoding="utf-9")}, "--encoding 'utf-9' is not known"),
        ({"csv": CsvOptions(encoding="base64")}, "--encoding 'base64' is not known"),
    ],
)
def test_each_fault_names_its_flag(changes: dict[str, object], told: str) -> None:
    faults = faults_of(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert any(told in fault for fault in faults), faults


def test_all_are_told_together() -> None:
    bad = replace(GOOD, table="1", primary_key=("nope",), chunk_size=0, csv=CsvOptions(delimiter="ab"))
    assert len(faults_of(bad)) == 4
