"""ClickHouse's write modes: what each compares, and how the changes come into a clone of the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.load.clickhouse.classify import Changes
from etl.load.clickhouse.job import Job, Staged
from etl.load.clickhouse.modes.add import by_key, publish_changes
from etl.load.clickhouse.modes.replace_partition import by_partition, in_replaced_partitions, publish_partitions
from etl.load.clickhouse.target import TargetTable
from etl.model import WriteMode
from etl.statements.clickhouse.changes import Comparison, key_in_staging


@dataclass(frozen=True)
class Mode:
    """`scope` says, as a condition, where nothing but this load's rows stands once `apply` is done."""

    compared: Callable[[Comparison, Staged], Comparison]
    apply: Callable[[Job, Staged, TargetTable, Changes], None]
    scope: Callable[[Comparison], str]


_ADD = Mode(by_key, publish_changes, key_in_staging)

MODES: dict[WriteMode, Mode] = {
    WriteMode.APPEND: _ADD,
    WriteMode.MERGE: _ADD,
    WriteMode.REPLACE_PARTITION: Mode(by_partition, publish_partitions, in_replaced_partitions),
}
