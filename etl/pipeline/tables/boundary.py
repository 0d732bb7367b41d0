"""Where a table's failure ends: the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from etl.config.tables.masking import hides_values
from etl.config.tables.models import TableConfig
from etl.errors import DataError
from etl.interruption import INTERRUPTED, interrupted
from etl.model import Destination
from etl.pipeline.context import RunContext
from etl.spark.causes import explained, is_of_values


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
            told = told_of(failure, context.configuration.table(table))
            context.ledger.fail_load(context.run.run_id, table, destination, told)
            context.progress.load_failed(table, destination, told)

    return boundary(record)


def told_of(failure: Exception, table: TableConfig) -> Exception:
    """The failure, as everybody may read it: what Spark says of a value is kept from messages and traces where the
    entry hides columns."""
    if not hides_values(table.transform) or not is_of_values(failure):
        return failure
    said = DataError(
        f"{table.name}: an expression of `transform` has no result for the value of some row. Which value is not said, "
        "since the entry hides columns; write the expression with try_cast, try_to_timestamp and the like, which give "
        "NULL, and reject such rows by a rule",
        table=table.name,
    )
    return said.with_traceback(failure.__traceback__)
