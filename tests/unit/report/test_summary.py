from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from etl.command.typed import etl_as_typed
from etl.config.destinations.registry import known_destinations
from etl.model import Destination, LoadStatus, RunStatus
from etl.report.commands import Commands
from etl.report.summary import SHOWN_FAILURES, print_summary
from etl.report.values import RunReport
from tests.unit.report.facts import MAINTAINED, NOT_MAINTAINED, load, run_report


def lines_of(report: RunReport, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        print_summary(report, console)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_run_where_something_failed() -> None:
    report = run_report(
        load(rows_read=1200, rows_inserted=1000, rows_rejected=200),
        load(table="users", status=LoadStatus.UNCHANGED, rows_read=5, rows_unchanged=5),
        load(table="users", destination=Destination.POSTGRESQL, status=LoadStatus.FAILED, error="[bold]no:\n  more"),
        load(table="users", destination=Destination.CLICKHOUSE, status=LoadStatus.FAILED, error="[bold]no:\n  more"),
        status=RunStatus.PARTIAL,
        rejects=200,
    )
    lines = lines_of(report)
    assert lines[0] == "run 20261120T210733-ab12cd: partial in 12.5 s (1 success, 1 unchanged, 2 failed)"
    assert [line.split() for line in lines[1:-7]] == [
        ["s3", "postgresql", "clickhouse"],
        ["tables", "success", "1", "0", "0"],
        ["tables", "unchanged", "1", "0", "0"],
        ["tables", "skipped", "0", "0", "0"],
        ["tables", "failed", "0", "1", "1"],
        ["rows", "read", "1,205", "0", "0"],
        ["rows", "inserted", "1,000", "0", "0"],
        ["rows", "updated", "0", "0", "0"],
        ["rows", "unchanged", "5", "0", "0"],
        ["rows", "skipped", "0", "0", "0"],
        ["rows", "rejected", "200", "0", "0"],
        ["rows", "deduplicated", "0", "0", "0"],
        ["rows", "deleted", "0", "0", "0"],
        ["rows", "trimmed", "0", "0", "0"],
    ]
    assert lines[-7:] == [
        "2 failed:",
        "  users -> postgresql, clickhouse: [bold]no:",
        "      more",
        "once the cause is removed, load what is left with:",
        "    ./spark-submit.sh jobs/run_etl.py --resume 20261120T210733-ab12cd",
        "200 rows were rejected; see what and why with:",
        f"    {etl_as_typed()} rejects list --run 20261120T210733-ab12cd",
    ]


def test_commands_lead_back_to_the_same_configuration() -> None:
    failed = load(status=LoadStatus.FAILED, rows_rejected=12, error="no")
    console = Console(file=io.StringIO(), width=60)
    with console.capture() as capture:
        print_summary(run_report(failed, rejects=1), console, Commands(Path("my conf")))
    said = capture.get()
    folder = "--run 20261120T210733-ab12cd --config-dir 'my conf'\n"
    assert "--resume 20261120T210733-ab12cd --config-dir 'my conf'\n" in said
    assert f"1 row was rejected; see what and why with:\n    {etl_as_typed()} rejects list {folder}" in said


def test_files_passed_over_are_named_once_a_table() -> None:
    skipped = ("in/_a.csv: hidden",)
    lines = lines_of(run_report(*(load(destination=each, files_skipped=skipped) for each in known_destinations())))
    assert lines[-2:] == ["1 file passed over:", "  orders: in/_a.csv: hidden"]


def test_a_long_error_is_cut_by_lines() -> None:
    lines = lines_of(run_report(load(status=LoadStatus.FAILED, error="\n".join(map(str, range(20))))))
    assert lines[-4:-2] == ["    11", "    … and 8 lines more"]


def test_a_note_is_said_once_for_the_destinations_that_share_it() -> None:
    shared = load(notes=("[bold]legacy went", "another"))
    lines = lines_of(run_report(shared, load(destination=Destination.POSTGRESQL, notes=("[bold]legacy went",))))
    assert lines[-2:] == ["note: orders -> s3, postgresql: [bold]legacy went", "note: orders -> s3: another"]


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
    loads = [load(destination=destination, rows_read=12_345_678_901) for destination in known_destinations()]
    lines = lines_of(run_report(*loads), width=80)
    assert ["rows", "read", *["12,345,678,901"] * 3] in [line.split() for line in lines]
    assert max(map(len, lines)) <= 80


def test_maintenance_is_told_and_changes_nothing_about_the_loads() -> None:
    report = replace(run_report(load()), maintenance=(MAINTAINED, NOT_MAINTAINED))
    assert lines_of(report)[0].startswith("run 20261120T210733-ab12cd: success")
    assert lines_of(report)[-2:] == [
        "maintenance of 1 table: 2 days deleted, 3 files joined",
        "maintenance of users in s3 failed (the next run tries again): no",
    ]
