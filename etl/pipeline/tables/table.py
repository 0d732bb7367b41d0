"""One table's way through the rooms. Read this page first.

    plan what each destination lacks → (unchanged: done) → read once → transform → materialise and count once
      → rejects to the ledger → every destination at the same time: lease, begin, wait for parents, load, complete

preparation.py goes as far as the counted frame, settled.py knows when nothing is left to do, delivery.py loads.
A unit is one table, or the tables of a foreign-key cycle, which PostgreSQL publishes in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables.boundary import table_boundary
from etl.pipeline.tables.delivery import Delivery, deliver_all, has_foreign_keys
from etl.pipeline.tables.preparation import prepare


def process_unit(context: RunContext, unit: Sequence[Work]) -> None:
    """Loads the unit's tables into their destinations; what fails is recorded and stops nothing else."""
    names = [work.table.name for work in unit]
    with ExitStack() as held:
        held.callback(context.order.ended, names)
        deliveries: list[Delivery] = []
        for work in unit:
            with table_boundary(context, [(work.table.name, destination) for destination in work.destinations]):
                deliveries += prepare(context, work, held)
        context.sources_are_read(len(unit))
        # children wait for what the store with foreign keys gets, and for nothing else
        awaited = {each.work.table.name for each in deliveries if has_foreign_keys(context, each)}
        context.order.ended(name for name in names if name not in awaited)
        deliver_all(context, deliveries)
