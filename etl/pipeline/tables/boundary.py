"""Where a table's failure ends: the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from etl.interruption import INTERRUPTED, interrupted
from etl.model import Destination
from etl.pipeline.context import RunContext
from etl.spark.causes import explained


@contextmanager
def boundary(record: Callable[[Exception], None]) -> Iterator[None]:
    """The one place that catches broadly: the failure is recorded and the others go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above; cancellation is no Exception and passes through
        record(interrupted(error) if INTERRUPTED.is_set() else explained(error))


def table_boundary(context: RunContext, loads: Iterable[tuple[str, Destination]]) -> AbstractContextManager[None]:
    """Of these loads."""

    def record(failure: Exception) -> None:
        for table, destination in loads:
            context.ledger.fail_load(context.run.run_id, table, destination, failure)
            context.progress.load_failed(table, destination, failure)

    return boundary(record)
