"""A Delta table's log, read and committed to by the `deltalake` package, in milliseconds and without Spark."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions
from pyspark.sql.types import StructType

from etl.load.s3.delta.transaction import Transaction as Mark
from etl.load.s3.driver.door import delta_door, in_one_line
from etl.load.s3.job import Place
from etl.model import PARTITION_DATE
from etl.s3.store import StoreAddress, frozen_keys

PLAIN_PROTOCOL = (1, 2)
"""What delta-spark creates, and this lane writes: no table features."""
_HARMLESS = frozenset(
    {
        "delta.checkpointInterval",
        "delta.deletedFileRetentionDuration",
        "delta.enableExpiredLogCleanup",
        "delta.logRetentionDuration",
        "delta.minReaderVersion",
        "delta.minWriterVersion",
    }
)


@dataclass(frozen=True)
class StoredFile:
    path: str
    size: int
    rows: int | None
    day: date | None


@dataclass(frozen=True)
class NewFile:
    """A data file that stands in the store and in no version yet."""

    path: str
    size: int
    day: date | None
    statistics: str


@dataclass(frozen=True)
class Snapshot:
    """One version of a table; `log` is None where there is no table, or (`unreadable` says why) none that the package
    can read."""

    place: Place
    log: DeltaTable | None
    unreadable: str = ""

    @classmethod
    def of(cls, place: Place) -> Snapshot:
        with delta_door("be read", place.table):
            try:
                return cls(place, DeltaTable(_uri(place), storage_options=storage_options(place.address)))
            except TableNotFoundError:
                return cls(place, None)
            except DeltaError as error:
                return cls(place, None, f"deltalake cannot read it ({in_one_line(error)})")

    @cached_property
    def schema(self) -> StructType | None:
        if self.log is None:
            return None
        with delta_door("say its schema", self.place.table):
            return StructType.fromJson(orjson.loads(self.log.schema().to_json()))

    @cached_property
    def files(self) -> list[StoredFile]:
        if self.log is None:
            return []
        with delta_door("list its files", self.place.table):
            found = pa.table(self.log.get_add_actions(flatten=True)).to_pylist()
        day = f"partition.{PARTITION_DATE}"
        return [StoredFile(each["path"], each["size_bytes"], each["num_records"], each.get(day)) for each in found]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    @cached_property
    def is_beyond_us(self) -> str:
        """What of the table this lane does not write, in words; empty where it writes all of it."""
        if self.log is None:
            return self.unreadable
        with delta_door("say its protocol", self.place.table):
            protocol, metadata = self.log.protocol(), self.log.metadata()
        versions = (protocol.min_reader_version, protocol.min_writer_version)
        if versions != PLAIN_PROTOCOL:
            return f"its protocol is {versions[0]}, {versions[1]} (table features), not {PLAIN_PROTOCOL[0]}, 2"
        if strange := sorted(set(metadata.configuration) - _HARMLESS):
            return f"it has table properties: {', '.join(strange)}"
        if list(metadata.partition_columns) != list(self.place.config.partition_by):
            return f"it is partitioned by {', '.join(metadata.partition_columns) or 'nothing'}"
        marked = [field.name for field in self.schema or () if any(key.startswith("delta.") for key in field.metadata)]
        return f"Delta generates or checks columns of it: {', '.join(marked)}" if marked else ""

    def next_transaction(self, application: str) -> int:
        """Above the application's own earlier ones."""
        if self.log is None:
            return 1
        with delta_door("say its transactions", self.place.table):
            return (self.log.transaction_version(application) or 0) + 1

    def commit(self, added: Sequence[NewFile], removed: Sequence[StoredFile], mark: Mark, schema: StructType) -> None:
        """One commit onto this very version: where anybody has committed since, ContentionError and none is made."""
        adds = [self._added(file) for file in added]
        properties = CommitProperties(
            custom_metadata={"userMetadata": mark.note, "isBlindAppend": False},
            max_commit_retries=0,
            app_transactions=[Transaction(mark.application, mark.version)],
        )
        partition_by = list(self.place.config.partition_by)
        with delta_door("take the commit", self.place.table):
            if self.log is None:
                create_table_with_add_actions(
                    _uri(self.place),
                    Schema.from_json(_open_schema(schema)),
                    adds,
                    "error",
                    partition_by,
                    storage_options=storage_options(self.place.address),
                    commit_properties=properties,
                )
                return
            self.log.create_write_transaction(
                [*adds, *(self._removed(file) for file in removed)],
                "append",
                self.log.schema(),
                partition_by,
                commit_properties=properties,
            )

    def _added(self, file: NewFile) -> AddAction:
        return AddAction(file.path, file.size, self._values(file.day), _now(), True, file.statistics)

    def _removed(self, file: StoredFile) -> RemoveAction:
        return RemoveAction(file.path, True, _now(), file.size, self._values(file.day))

    def _values(self, day: date | None) -> dict[str, str | None]:
        return {PARTITION_DATE: day.isoformat() if day else None} if self.place.config.partition_by else {}


def storage_options(address: StoreAddress) -> dict[str, str]:
    """The address in the package's words; a commit is one conditional PUT."""
    options = {
        "aws_region": address.region,
        "aws_virtual_hosted_style_request": str(not address.path_style).lower(),
        "conditional_put": "etag",
        "timeout": f"{address.timeout_seconds}s",
        "connect_timeout": "10s",
        "max_retries": str(address.attempts - 1),
        "retry_timeout": f"{address.timeout_seconds * address.attempts}s",
    }
    if address.endpoint:
        options["aws_endpoint"] = address.endpoint
        options["aws_allow_http"] = str(address.endpoint.startswith("http://")).lower()
    keys = frozen_keys(address)
    options |= {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret_key}
    return options | ({"aws_session_token": keys.token} if keys.token else {})


def _uri(place: Place) -> str:
    return f"s3://{place.path.bucket}/{place.path.prefix.rstrip('/')}"


def _open_schema(schema: StructType) -> str:
    """As delta-spark creates tables: whatever the frame says, a column may hold NULL."""
    described = schema.jsonValue()
    return orjson.dumps(_opened(described)).decode()


def _opened(part: Any) -> Any:
    if isinstance(part, list):
        return [_opened(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: True if name in ("nullable", "containsNull", "valueContainsNull") else _kept(name, value)
        for name, value in part.items()
    }


def _kept(name: str, value: Any) -> Any:
    return value if name == "metadata" else _opened(value)


def _now() -> int:
    return int(time.time() * 1000)
