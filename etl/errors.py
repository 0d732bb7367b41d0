"""The error tree of the whole product.

    EtlError
    ├── TransientError            a retry may help
    │   ├── ConnectionLostError   the server went away, refused, or timed out
    │   ├── ContentionError       deadlock, serialization failure, lock or commit conflict
    │   ├── OverloadedError       too many connections, parts or requests
    │   └── NotYetError           nothing was begun, for a reason that passes       (exit 75)
    └── TerminalError             a retry will not help
        ├── UsageError            bad command line                                    (exit 2)
        ├── ConfigurationError    every fault of the configuration, all at once       (exit 2)
        ├── SourceError           the source lacks what the configuration names
        │   └── InputAwayError    what was read and kept is not on this machine
        ├── DataError             rows that no destination may get
        │   ├── RejectedRowsError more of the rows read break a rule than `maximum_rejected` allows
        │   ├── NullKeyError
        │   └── DuplicateKeyError
        ├── SchemaMismatchError   target and frame differ beyond what the contract allows
        ├── VanishedRowsError     more of the stored rows are gone from the source than `maximum_deleted` allows
        ├── ConflictError         `error` was asked for and a stored row differs, or the target exists
        ├── ReconciliationError   the counts do not add up
        ├── ValidationError       what stands in the store is not what was loaded
        ├── LockedError           another run is loading this table into this destination
        ├── FencedError           the orchestrator has given this attempt up: another one goes on
        ├── InterruptionError     the run was ended from outside (Ctrl-C, SIGTERM) before this was published
        └── StoreError            the store refused a statement

Which trunk a driver's error belongs to is decided at the driver's door, in one context manager per driver
(etl/postgresql/door.py, etl/clickhouse/door.py, etl/s3/door.py, etl/load/*/door.py), always with `raise … from`.
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.names import readable


class EtlError(Exception):
    """Says what was expected, what was found, and what to do next; carries the facts as attributes. Whatever name is in
    the message, it can be stored and printed."""

    def __init__(self, message: str, *, table: str | None = None, destination: str | None = None) -> None:
        self.message = readable(message)
        super().__init__(self.message)
        self.table = table
        self.destination = destination


class TransientError(EtlError):
    """A retry may help."""


class ConnectionLostError(TransientError):
    """The server went away, refused the connection, or did not answer in time."""


class ContentionError(TransientError):
    """Deadlock, serialization failure, lock timeout or a concurrent commit."""


class OverloadedError(TransientError):
    """The server has too many connections, parts or requests right now."""


class NotYetError(TransientError):
    """Nothing was begun, for a reason that passes; exit 75, the same again later."""


class TerminalError(EtlError):
    """A retry will not help."""


class UsageError(TerminalError):
    """The command line is wrong; exit 2, nothing was touched."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the configuration. `line` is 1-based; 0 where a fault has no line."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class ConfigurationError(TerminalError):
    """All faults of the configuration together; exit 2, nothing was touched."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__("\n".join([f"{len(faults)} {noun} in the configuration:", *(f"  {f}" for f in faults)]))


class SourceError(TerminalError):
    """The source lacks a table, column or file that the configuration names."""


class InputAwayError(SourceError):
    """What was read and kept is not on this machine, or not any more: another one may have it."""


class DataError(TerminalError):
    """Rows that no destination may get; nothing was written."""


class RejectedRowsError(DataError):
    """More of the rows read break a rule than `maximum_rejected` allows; the message has the rules."""


class NullKeyError(DataError):
    """A key column is NULL; the message has the count."""


class DuplicateKeyError(DataError):
    """A key stands twice in one load and no order column decides; the message has a sample key and the count."""


class SchemaMismatchError(TerminalError):
    """Target and frame differ beyond what `schema_contract` allows; the message names every difference."""


class VanishedRowsError(TerminalError):
    """More of the stored rows are gone from the source than `maximum_deleted` allows; nothing was written."""


class ConflictError(TerminalError):
    """`conflict_resolution: error` met a stored row that differs, or `mode: error` met an existing target."""


class ReconciliationError(TerminalError):
    """read != inserted + updated + unchanged + skipped + rejected + deduplicated."""


class ValidationError(TerminalError):
    """Keys, counts or a column's checksum in the store differ from the load's."""


class LockedError(TerminalError):
    """Another live run is loading this table into this destination."""


class FencedError(TerminalError):
    """The orchestrator has given this attempt up, and perhaps begun another; the transaction was rolled back."""


class InterruptionError(TerminalError):
    """The run was ended from outside before this was published."""


class StoreError(TerminalError):
    """The store refused a statement; `statement` names it, never with values."""

    def __init__(
        self, message: str, *, statement: str = "", table: str | None = None, destination: str | None = None
    ) -> None:
        super().__init__(message, table=table, destination=destination)
        self.statement = statement
