from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from etl.config.destinations.registry import known_destinations
from etl.model import Destination, LoadStatus
from etl.report.board import RECENT, Board, Total
from tests.unit.report.facts import result

TABLES = [f"table_{number:02d}" for number in range(79)]


def test_what_is_under_way_and_what_was_done() -> None:
    board = Board()
    board.start_run("r1", [("orders", Destination.S3), ("orders", Destination.CLICKHOUSE), ("users", Destination.S3)])
    board.extract(7)
    board.start_load("orders", Destination.S3, 7)
    board.start_load("orders", Destination.CLICKHOUSE, 7)
    board.finish_load(result(), rows_read=7)
    board.fail_load("users", Destination.S3)

    view = board.view()
    assert (view.run_id, view.rows_extracted) == ("r1", 7)
    assert [(line.table, line.destination, line.rows, line.status) for line in view.active] == [
        ("orders", Destination.CLICKHOUSE, 7, None)
    ]
    assert [(line.table, line.destination, line.rows, line.status) for line in view.recent] == [
        ("orders", Destination.S3, 7, LoadStatus.SUCCESS),
        ("users", Destination.S3, 0, LoadStatus.FAILED),
    ]
    assert view.totals == (
        Total(Destination.S3, planned=2, done=2, failed=1, rows=7),
        Total(Destination.CLICKHOUSE, planned=1, done=0, failed=0, rows=0),
    )


def test_many_threads_lose_nothing() -> None:
    board = Board()
    board.start_run("r1", [(table, destination) for table in TABLES for destination in known_destinations()])

    def load(table: str) -> None:
        board.extract(1)
        for destination in known_destinations():
            board.start_load(table, destination, 1)
            board.view()
            board.finish_load(
                result(table_name=table, destination=destination, rows_inserted=1, rows_updated=0), rows_read=1
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(load, TABLES))

    view = board.view()
    assert view.rows_extracted == 79
    assert view.active == ()
    assert len(view.recent) == RECENT
    assert view.totals == tuple(Total(destination, 79, 79, 0, 79) for destination in known_destinations())
