from __future__ import annotations

import io

from rich.console import Console

from etl.model import Destination, LoadStatus, RunStatus
from etl.report.summary import SHOWN_FAILURES, print_summary
from etl.report.values import RunReport
from tests.unit.report.facts import load, run_report


def lines_of(report: RunReport, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        print_summary(report, console)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_run_where_something_failed() -> None:
    report = run_report(
        load(rows_read=1200, rows_inserted=1000, rows_rejected=200),
        load(table="users", status=LoadStatus.UNCHANGED, rows_read=5, rows_unchanged=5),
        load(table="users", destination=Destination.POSTGRESQL, status=LoadStatus.FAILED, error="E: [bold]no\nmore"),
        status=RunStatus.PARTIAL,
    )
    lines = lines_of(report)
    assert lines[0] == "run 20261120T210733-ab12cd: partial in 12.5 s (1 success, 1 unchanged, 1 failed)"
    assert [line.split() for line in lines[1:-6]] == [
        ["s3", "postgresql"],
        ["tables", "success", "1", "0"],
        ["tables", "unchanged", "1", "0"],
        ["tables", "skipped", "0", "0"],
        ["tables", "failed", "0", "1"],
        ["rows", "read", "1,205", "0"],
        ["rows", "inserted", "1,000", "0"],
        ["rows", "updated", "0", "0"],
        ["rows", "unchanged", "5", "0"],
        ["rows", "skipped", "0", "0"],
        ["rows", "rejected", "200", "0"],
        ["rows", "deduplicated", "0", "0"],
    ]
    assert lines[-6:] == [
        "1 failed:",
        "  users -> postgresql: E: [bold]no",
        "once the cause is removed, load what is left with:",
        "    ./spark-submit.sh jobs/run_etl.py --resume 20261120T210733-ab12cd",
        "200 rows were rejected; see them with:",
        "    python -m etl.rejects list --run 20261120T210733-ab12cd",
    ]


def test_a_run_where_all_went_well_says_no_more() -> None:
    lines = lines_of(run_report(load(rows_read=1, rows_inserted=1)))
    assert lines[0].endswith("success in 12.5 s (1 success)")
    assert not any("resume" in line or "rejects" in line for line in lines)


def test_a_run_with_nothing_to_load() -> None:
    assert lines_of(run_report()) == ["run 20261120T210733-ab12cd: success in 12.5 s (nothing to load)"]


def test_many_failures_are_cut_short_and_commands_never_wrap() -> None:
    failed = [load(table=f"t{number}", status=LoadStatus.FAILED, error="E: no") for number in range(30)]
    lines = lines_of(run_report(*failed, status=RunStatus.FAILED), width=40)
    assert sum(line.endswith(": E: no") for line in lines) == SHOWN_FAILURES
    assert "… and 10 more" in " ".join(line.strip() for line in lines)
    assert "    ./spark-submit.sh jobs/run_etl.py --resume 20261120T210733-ab12cd" in lines


def test_three_destinations_fit_a_narrow_terminal() -> None:
    loads = [load(destination=destination, rows_read=12_345_678_901) for destination in Destination]
    lines = lines_of(run_report(*loads), width=80)
    assert ["rows", "read", *["12,345,678,901"] * 3] in [line.split() for line in lines]
    assert max(map(len, lines)) <= 80
