from __future__ import annotations

from dataclasses import replace

import pytest

from etl.model import Destination, LoadStatus, RunStatus, WriteMode
from etl.report.values import TableReport, report_load, report_of
from tests.unit.report.facts import Finished, Record


def test_a_load_is_reported_as_the_ledger_has_it() -> None:
    assert report_load(Record()) == TableReport(
        table="orders",
        destination=Destination.S3,
        target="s3a://bucket/data-lake/orders",
        mode=WriteMode.MERGE,
        status=LoadStatus.SUCCESS,
        rows_read=10,
        rows_inserted=4,
        rows_updated=1,
        rows_unchanged=1,
        rows_skipped=1,
        rows_rejected=2,
        rows_deduplicated=1,
        rows_deleted=3,
        rows_trimmed=2,
        vanished_rows="delete",
        seconds=0.5,
        notes=("a sentence",),
        error=None,
    )


def test_a_failure_has_its_message_and_no_class() -> None:
    failed = replace(Record(), status="failed", error_message="refused\nin detail")
    assert report_load(failed).error == "refused\nin detail"


def test_files_are_reported_as_the_ledger_has_them() -> None:
    found = report_load(replace(Record(), files_read=2, files_skipped=("in/_a.csv: hidden",)))
    assert (found.files_read, found.files_skipped) == (2, ("in/_a.csv: hidden",))


def test_what_is_held_as_text_is_told() -> None:
    told = {"mood": "public.mood"}
    assert report_load(replace(Record(), configuration={"mode": "merge", "held_as_text": told})).held_as_text == told
    assert report_load(Record()).held_as_text == {}


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_load_that_never_ended_has_failed(status: str) -> None:
    reported = report_load(replace(Record(), status=status))
    assert (reported.status, reported.error) == (
        LoadStatus.FAILED,
        f"the run ended before this load did (it was {status})",
    )


def test_a_run_has_its_loads_in_order() -> None:
    records = [
        Record("orders", Destination.S3),
        Record("customers", Destination.S3),
        Record("customers", Destination.CLICKHOUSE, status="unchanged"),
    ]
    report = report_of(Finished(), records)
    assert [(each.table, each.destination) for each in report.loads] == [
        ("customers", Destination.CLICKHOUSE),
        ("customers", Destination.S3),
        ("orders", Destination.S3),
    ]
    assert (report.status, report.count(LoadStatus.SUCCESS), report.count(LoadStatus.UNCHANGED)) == (
        RunStatus.PARTIAL,
        2,
        1,
    )
    assert report.destinations == (Destination.S3, Destination.CLICKHOUSE)


def test_only_a_finished_run_is_reported() -> None:
    with pytest.raises(ValueError, match="has not finished"):
        report_of(replace(Finished(), finished_at=None), [])
