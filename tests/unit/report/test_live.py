from __future__ import annotations

import io

import structlog
from rich.console import Console

from etl.command.logging import LogFormat, configure_logging
from etl.config.destinations.registry import known_destinations
from etl.model import Destination, LoadStatus
from etl.report.board import Line, Total, View
from etl.report.live import LiveProgress, render
from tests.unit.report.facts import load, result, run_report


def text_of(view: View, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=24)
    with console.capture() as capture:
        console.print(render(view))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_what_the_display_shows() -> None:
    view = View(
        run_id="r1",
        seconds=75.4,
        rows_extracted=12_345,
        active=(Line("orders", Destination.CLICKHOUSE, 9000, 1.25),),
        recent=(Line("users", Destination.S3, 12, 0.5, LoadStatus.UNCHANGED),),
        totals=(Total(Destination.S3, planned=79, done=3, failed=1, rows=1234),),
    )
    assert text_of(view) == [
        "run r1  1:15  12,345 rows read",
        "table   destination   rows  seconds  status",
        "users   s3              12      0.5  unchanged",
        "orders  clickhouse   9,000      1.2  loading",
        "s3  3 of 79 tables  1,234 rows written  1 failed",
    ]


def test_a_full_display_fits_a_small_terminal() -> None:
    name = "a_table_with_a_name_of_sixty_three_bytes_which_is_as_long_as_it_gets"
    line = Line(name, Destination.CLICKHOUSE, 10**9, 1000.0)
    done = Line(name, Destination.POSTGRESQL, 10**9, 1000.0, LoadStatus.SUCCESS)
    totals = tuple(Total(destination, 79, 78, 1, 10**10) for destination in known_destinations())
    lines = text_of(View("20261120T210733-ab12cd", 3600.0, 10**10, (line,) * 12, (done,) * 6, totals))
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "… and 4 more being loaded" in lines


def test_failures_stay_on_the_screen_without_secrets_or_markup() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=24, color_system=None)
    with LiveProgress(console) as progress:
        progress.run_started("r1", [("orders", Destination.S3), ("users", Destination.S3)])
        progress.table_extracted("orders", 7)
        progress.load_started("orders", Destination.S3, 7)
        progress.load_finished(result(), rows_read=7)
        progress.load_failed("users", Destination.S3, OSError("[red]no way to s3://key:secret@bucket\nin detail"))
        progress.run_finished(run_report(load()))
    assert "users -> s3: [red]no way to s3://key:***@bucket\n" in screen.getvalue().replace("\r", "")
    assert "  in detail\n" in screen.getvalue().replace("\r", "")


def test_log_lines_do_not_tear_the_display() -> None:
    """They go through the live display's own stderr, above it."""
    screen = io.StringIO()
    configure_logging(LogFormat.CONSOLE)
    with LiveProgress(Console(file=screen, force_terminal=True, width=100, height=24, color_system=None)) as progress:
        progress.run_started("r1", [("orders", Destination.S3)])
        structlog.get_logger("etl.test").warning("a line of its own")
    assert "a line of its own" in screen.getvalue()
