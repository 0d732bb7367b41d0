"""The live display of a run: what is being loaded, what was just loaded, and how far each destination is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from etl.interruption import INTERRUPTED, SAID
from etl.model import Destination, LoadResult, LoadStatus, MaintenanceResult
from etl.redaction import redact
from etl.report.board import Board, Line, Total, View
from etl.report.summary import STYLES
from etl.report.values import RunReport

SHOWN_ACTIVE = 8
"""With the recent loads, three totals and the headings this fits a terminal of 24 lines."""


class LiveProgress:
    """A Progress for a terminal: a display while the block runs; failures stay on the screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._board = Board()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def _render(self) -> RenderableType:
        shown = render(self._board.view())
        return Group(Text(SAID, style="bold yellow"), shown) if INTERRUPTED.is_set() else shown

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def run_started(self, run_id: str, loads: Sequence[tuple[str, Destination]]) -> None:
        self._board.start_run(run_id, loads)

    def table_extracted(self, table: str, rows: int) -> None:
        self._board.extract(rows)

    def load_started(self, table: str, destination: Destination, rows_read: int) -> None:
        self._board.start_load(table, destination, rows_read)

    def load_finished(self, result: LoadResult, rows_read: int) -> None:
        self._board.finish_load(result, rows_read)

    def load_failed(self, table: str, destination: Destination, error: BaseException) -> None:
        self._board.fail_load(table, destination)
        said = redact(str(error)).replace("\n", "\n  ")
        self._console.print(Text.assemble((f"{table} -> {destination}: ", STYLES[LoadStatus.FAILED]), said))

    def maintenance_started(self, table: str, destination: Destination) -> None:
        self._board.start_maintenance(table, destination)

    def maintenance_finished(self, result: MaintenanceResult) -> None:
        self._board.end_maintenance(result.table_name, result.destination)

    def maintenance_failed(self, table: str, destination: Destination, error: BaseException) -> None:
        """The summary says why, right after."""
        self._board.end_maintenance(table, destination)

    def run_finished(self, report: RunReport) -> None:
        """The display makes room for the summary."""
        self._live.stop()


def render(view: View) -> RenderableType:
    """At most 24 lines, whatever the number of tables."""
    heading = Text(f"run {view.run_id}  {_clock(view.seconds)}  {view.rows_extracted:,} rows read", style="bold")
    shown, hidden = view.active[:SHOWN_ACTIVE], len(view.active) - SHOWN_ACTIVE
    more = [Text(f"… and {hidden} more being loaded", style="dim")] if hidden > 0 else []
    return Group(heading, _loads(view.recent, shown), *more, _totals(view.totals))


def _loads(recent: Iterable[Line], active: Iterable[Line]) -> Table:
    table = Table(box=None, pad_edge=False, expand=False)
    table.add_column("table", no_wrap=True, max_width=40)
    table.add_column("destination", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for line in (*recent, *active):
        status = Text(line.status, style=STYLES[line.status]) if line.status else Text(line.doing, style="cyan")
        table.add_row(line.table, line.destination, f"{line.rows:,}", f"{line.seconds:.1f}", status)
    return table


def _totals(totals: Iterable[Total]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for total in totals:
        failed = Text(f"{total.failed} failed", style=STYLES[LoadStatus.FAILED]) if total.failed else Text("")
        table.add_row(
            Text(total.destination, style="bold"),
            f"{total.done} of {total.planned} tables",
            f"{total.rows:,} rows written",
            failed,
        )
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
