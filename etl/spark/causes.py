"""What Spark, py4j and the JVM raise, as an error of our own tree that says the last cause in words.

A fault deep in a task comes up as "An error occurred while calling o1984.collectToPython" with pages of stack traces,
each cause below the other; what a person can act on is the last of them, and the file that was being read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from etl import errors
from etl.errors import (
    ConnectionLostError,
    ContentionError,
    EtlError,
    OverloadedError,
    SourceError,
    StoreError,
    TerminalError,
)
from etl.spark.process import GONE, MORE_MEMORY, why_spark_ended

# What stands anywhere in the text, the first that fits decides; everything else is terminal.
_BY_TEXT: tuple[tuple[type[EtlError], tuple[str, ...]], ...] = (
    (ContentionError, ("DELTA_CONCURRENT_", "ConcurrentAppendException", "ConcurrentDelete", "ConcurrentTransaction",
                       "ConcurrentWriteException", "MetadataChangedException", "ProtocolChangedException")),
    (OverloadedError, ("SlowDown", "Status Code: 503", "TooManyRequests")),
    (ConnectionLostError, ("Unable to execute HTTP request", "Connection refused", "ConnectException",
                           "SocketTimeoutException", "SocketException", "UnknownHostException", "Connection reset",
                           "ConnectTimeoutException", "ApiCallTimeoutException", "ApiCallAttemptTimeoutException",
                           "Status Code: 500", "Status Code: 502", "Status Code: 504")),
)  # fmt: skip

_IN_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("OutOfMemoryError", "SparkOutOfMemoryError", "UNABLE_TO_ACQUIRE_MEMORY"),
        f"Spark ran out of memory; {MORE_MEMORY}",
    ),
    (
        ("exceeds the limit of buffer size", "Cannot grow BufferHolder", "KryoException: Buffer overflow"),
        "one row is larger than Spark can hold (2 GB); leave its column out of the table",
    ),
    (
        ("Python worker exited unexpectedly", "Python worker failed to connect back"),
        "a Python worker of Spark died, most often for want of memory; free some, lower `run.writers` or --parallelism",
    ),
    (
        ("is bigger than spark.driver.maxResultSize", "is bigger than local result size limit"),
        "more came to the driver than spark.driver.maxResultSize allows; raise it, and spark.driver.memory with it",
    ),
    (
        ("StackOverflowError",),
        "an expression is nested too deeply for Spark's stack: simplify the table's `transform`, or give threads more "
        "of it (-Xss8m in spark.driver.extraJavaOptions)",
    ),
    (
        ("canceling statement due to statement timeout",),
        "the source ended a statement that took longer than it may (canceling statement due to statement timeout); "
        "raise source.statement_timeout_seconds, or `partitions` of the table's `extract`",
    ),
    (
        ("ApiCallTimeoutException", "ApiCallAttemptTimeoutException", "Unable to execute HTTP request: Read timed out"),
        "the object store gave no answer in time; does it still answer, and if so, does it need longer "
        "(s3.timeout_seconds)?",
    ),
    (
        ("Cannot call methods on a stopped SparkContext", "SparkContext was shut down"),
        "Spark has ended this application; on a cluster most often since its master does not answer, or since "
        "executors end as soon as they start: spark.log says which, the workers' own logs why",
    ),
    (
        ("invalid snapshot identifier",),
        "the rows that were held for this load went with the executors that held them, and the source's snapshot is "
        "closed by now; --resume reads and loads what is left (did they run out of memory? spark.executor.memory)",
    ),
    (
        ("Cannot find catalog plugin class",),
        "this Spark lacks Delta Lake; start it with ./spark-submit.sh or with "
        "`spark-submit --properties-file conf/spark-defaults.conf`",
    ),
    (("No space left on device",), "the disk that Spark spills to is full; free it or name another in spark.local.dir"),
)

_FROM_WORKER = re.compile(r"Error from python worker:\s+(\S.*?)\nPYTHONPATH was:", re.DOTALL)
_FULL_EXECUTOR = re.compile(r"executor \d+\): \S*OutOfMemoryError")
_LOST_EXECUTOR = re.compile(r"ExecutorLostFailure \(.*?Reason: ([^\n]+)")
_FILE = re.compile(
    r"(?:reading file|reading footer for file:?|getFileStatus on|open on|read on) '?(\S+?)[.:']*(?:\s|$)"
)
_LOCAL = re.compile(r"\bfile:(?://)?(?=/)")
_SAID = re.compile(r"^(?:: |Caused by: |\s*)(?P<kind>(?:[\w$]+\.)+[\w$]+)(?:: (?P<said>.*))?$", re.DOTALL)
_CONDITION = re.compile(r"^\[[A-Z][A-Z0-9_.]+\] ")
_CLASS = re.compile(r"\b(?:[a-z_][\w$]*\.){2,}[A-Z][\w$]*(?:: )?")
_NOISE = re.compile(r"\s*(?:\(SDK Attempt Count: \d+\)|, Request ID: [\w-]*|:null\b)")
_OF_VALUES = re.compile(
    r"SQLSTATE: (?:22|42601|P0001)|com\.fasterxml\.jackson|java\.lang\.NumberFormatException|java\.time\.\S*Exception"
)
"""What Spark raises where an expression cannot be computed of a row, and most often says of which value."""
_LONGEST = 1_000
_OF_A_DYING_JVM = ('dagScheduler()" is null', "dagScheduler() is null", "Exception while sending command")
"""What is asked of it, or was being asked, while it takes its context down."""
_DYING_SECONDS = 10
"""A JVM that runs out of memory still writes its farewell when its connections are gone already."""


@dataclass(frozen=True)
class Cause:
    """One link of the chain: the exception's class as it is written, and what it says."""

    kind: str
    said: str


def is_of_spark(error: BaseException) -> bool:
    return isinstance(error, Py4JError | PySparkException) or (
        isinstance(error, ConnectionError | EOFError) and why_spark_ended(_DYING_SECONDS) is not None
    )


def explained(error: BaseException, *, table: str | None = None, destination: str | None = None) -> EtlError:
    """The error as one of ours, its origin kept as `__cause__`; one of ours is handed back as it is."""
    if isinstance(error, EtlError):
        return error
    said = _of_spark(error, table, destination) if is_of_spark(error) else _unexpected(error, table, destination)
    said.__cause__ = error
    return said


def is_of_values(error: BaseException | None) -> bool:
    """Whether it, or what it was raised from, is of an expression that has no result for a value: its text may hold the
    value."""
    if error is None:
        return False
    is_told = is_of_spark(error) and _OF_VALUES.search(_full_text(error)) is not None
    return is_told or is_of_values(error.__cause__)


@contextmanager
def explaining() -> Iterator[None]:
    """What Spark raises comes out as an error of ours."""
    try:
        yield
    except Exception as error:
        if not is_of_spark(error):
            raise
        raise explained(error) from error


def of_spark(error: BaseException, doing: str, *, table: str | None = None, destination: str | None = None) -> EtlError:
    """The same for an error that is Spark's, beginning with what Spark was expected to do."""
    text = _full_text(error)
    cause = last_cause(text)
    message = f"expected Spark to {doing}, it failed: {in_words(text)}"
    return kind_of(text, cause)(message, table=table, destination=destination)


def last_cause(text: str) -> Cause:
    """The innermost exception that says something: of Java's causes, and of the Python worker's within them."""
    telling = [cause for cause in _causes(text) if cause.said]
    if not telling:
        silent = [cause.kind for cause in _causes(text) if cause.kind]
        return Cause("", _name_in_words(silent[-1]) if silent else text.strip().split("\n", 1)[0] or "no message")
    *before, last = telling
    # "Connect to db:5432 failed: Connection refused" says more than "Connection refused"
    return before[-1] if before and before[-1].said.endswith(f": {last.said}") else last


def in_words(text: str) -> str:
    """What a summary may show: no class names, no stack traces, the file that was read, and what to do where known."""
    is_cut_off = text.startswith("An error occurred while calling") and "\n" not in text
    is_dying = is_cut_off or not text or any(sign in text for sign in _OF_A_DYING_JVM)
    if reason := why_spark_ended(_DYING_SECONDS if is_dying else 0):
        return reason
    if _FULL_EXECUTOR.search(text):
        return (
            "an executor ran out of memory; give executors more (--executor-memory 4g before the job's file) or fewer "
            "cores each (--executor-cores)"
        )
    for signs, words in _IN_WORDS:
        if any(sign in text for sign in signs):
            return words
    if lost := _LOST_EXECUTOR.search(text):
        return (
            f"an executor was lost: {_plain(lost[1])}; give executors more memory (spark.executor.memory) or look there"
        )
    if from_worker := _FROM_WORKER.search(text):
        return from_worker[1]
    if is_cut_off:
        return GONE
    said = _plain(last_cause(text).said)
    found = _FILE.search(text)
    file = _LOCAL.sub("", found[1]) if found else ""
    return said if not file or file in said else f"{file}: {said}"


def kind_of(text: str, cause: Cause) -> type[EtlError]:
    """Whether a retry may help. An error of ours that comes from a worker is what it was there."""
    own = cause.kind.removeprefix(f"{errors.__name__}.") if cause.kind.startswith(errors.__name__) else ""
    if own:
        kind: type[EtlError] = getattr(errors, own, StoreError)
        return kind
    for kind, signs in _BY_TEXT:
        if any(sign in text for sign in signs):
            return kind
    return StoreError


def _of_spark(error: BaseException, table: str | None, destination: str | None) -> EtlError:
    text = _full_text(error)
    kind = kind_of(text, last_cause(text))
    if kind is StoreError:
        kind = SourceError if _FILE.search(text) else TerminalError
    return kind(in_words(text), table=table, destination=destination)


def _unexpected(error: BaseException, table: str | None, destination: str | None) -> EtlError:
    said = _plain(str(error)) or "no message"
    if not isinstance(error, OSError):
        said = (
            f"{said} ({type(error).__name__}, which nobody has foreseen); the ledger keeps where it came from "
            "(etl.loads.stack_trace): please report it"
        )
    return TerminalError(said, table=table, destination=destination)


def _full_text(error: BaseException) -> str:
    """With the JVM's causes, which Spark's own classes keep to themselves."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - py4j asks the JVM for the text, which may be gone
        text = type(error).__name__
    trace = getattr(error, "_stackTrace", None)
    return f"{text}\n{trace}" if trace and "\nCaused by: " in trace and trace not in text else text


def _name_in_words(kind: str) -> str:
    """`java.lang.NullPointerException` → `null pointer exception`: all there is of one without a message."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.rpartition(".")[2]).lower()


def _causes(text: str) -> Iterator[Cause]:
    for block in _blocks(text):
        if "Traceback (most recent call last):" in block:
            yield _python_cause(block)
            continue
        found = _SAID.match(block)
        if found:
            yield Cause(found["kind"], (found["said"] or "").strip())
        elif not block.startswith(("An error occurred while calling", "Driver stacktrace")):
            yield Cause("", block.strip())


def _blocks(text: str) -> Iterator[str]:
    """The text between stack frames, cut where an exception begins. What is indented was suppressed or is a frame."""
    lines: list[str] = []
    is_frame = False
    for line in text.splitlines():
        begins = line.startswith(("Caused by: ", ": ", "Driver stacktrace", "JVM stacktrace"))
        if begins or is_frame:
            if lines:
                yield "\n".join(lines)
            lines = []
        is_frame = line.startswith(("\tat ", "\t...", "\tSuppressed:", "\t\t", "    at "))
        if not is_frame and line.strip():
            lines.append(line)
    if lines:
        yield "\n".join(lines)


def _python_cause(block: str) -> Cause:
    """What follows the last frame of a Python traceback: the class, and a message of any number of lines."""
    _, _, trace = block.rpartition("Traceback (most recent call last):\n")
    lines = trace.splitlines()
    start = next((index for index, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    kind, _, said = "\n".join(lines[start:]).strip().partition(": ")
    return Cause(kind, said or kind)


def _plain(said: str) -> str:
    """Without Spark's own decoration: conditions, SQLSTATE and what follows it, class names, request ids."""
    said = re.split(r"\.?\s*SQLSTATE: \w+", said, maxsplit=1)[0]
    said = re.split(r"\n== |\nParser Configuration:|\nHint: ", said, maxsplit=1)[0]
    said = _NOISE.sub("", _LOCAL.sub("", _CLASS.sub("", _CONDITION.sub("", said.strip()))))
    return said.strip()[:_LONGEST]
