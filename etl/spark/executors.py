"""What is asked of a cluster before a run begins: an executor that comes, and has our Python and packages."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

import structlog
from pyspark import StorageLevel
from pyspark.sql import SparkSession

from etl.errors import TerminalError
from etl.repeating import Repeating
from etl.spark.causes import in_words, is_of_spark

_TOLD_EVERY_SECONDS = 15

log = structlog.get_logger(__name__)


def is_local(spark: SparkSession) -> bool:
    """Whether the executors are threads of the driver, on its machine."""
    return str(spark.sparkContext.master).split("[")[0] == "local"


def replicated(spark: SparkSession, level: StorageLevel) -> StorageLevel:
    """For rows that are read more than once. Where an executor can be lost, another has a copy: they cannot be read
    from the source again, whose snapshot may be closed by then."""
    if is_local(spark):
        return level
    return StorageLevel(level.useDisk, level.useMemory, level.useOffHeap, level.deserialized, replication=2)


def require_executors(spark: SparkSession, modules: Iterable[str]) -> None:
    """Waits for the first executor of a cluster, which must be able to import `modules`; TerminalError says why not."""
    names = tuple(modules)
    with _Waiting(str(spark.sparkContext.master)):
        try:
            spark.sparkContext.parallelize([names], 1).map(_import).collect()
        except Exception as error:
            if not is_of_spark(error):
                raise
            raise TerminalError(
                f"expected executors on which {spark.sparkContext.pythonExec} runs this package, found one on which it "
                f"does not: {in_words(str(error))} (docs/cluster.md: what the machines need)"
            ) from error


def _import(names: Iterable[str]) -> None:
    for name in names:
        importlib.import_module(name)


class _Waiting(Repeating):
    def __init__(self, master: str) -> None:
        super().__init__("executors", _TOLD_EVERY_SECONDS, patience_seconds=1)
        self._master = master

    def again(self) -> bool:
        log.warning(
            "waiting for an executor",
            master=self._master,
            next_step="look at the master's page: are cores and memory free, as many as are asked for?",
        )
        return True
