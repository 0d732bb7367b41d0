"""Work of a run that goes on side by side, and how it is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress

from py4j.protocol import Py4JError

from etl.pipeline.context import RunContext


def side_by_side(context: RunContext, name: str, steps: Iterable[Callable[[], None]]) -> None:
    """`parallelism` at a time, begun in their order. A step raises only where the ledger itself fails or the run is
    cancelled: then nothing new is begun."""
    with ExitStack() as stack:
        at_once = context.options.parallelism or context.settings.run.parallelism
        pool = stack.enter_context(ThreadPoolExecutor(at_once, thread_name_prefix=name))
        futures = [pool.submit(step) for step in steps]
        stack.callback(lambda: [future.cancel() for future in futures])
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except KeyboardInterrupt:
            _give_up(context, futures)
            raise
        for future in futures:
            if future.done():
                future.result()


def _give_up(context: RunContext, futures: Sequence[Future[None]]) -> None:
    """What is being published goes on to its end; Spark's jobs do not, nor those that begin in between."""
    for future in futures:
        future.cancel()
    while wait(futures, timeout=1).not_done:
        context.sources.cancel()
        with suppress(Py4JError, OSError):
            context.spark.sparkContext.cancelAllJobs()
