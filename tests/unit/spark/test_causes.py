"""Texts of Spark, Hadoop and Python workers as they come up, cut to a few frames."""

from __future__ import annotations

import re
import subprocess
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JError
from pyspark import SparkContext
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
from etl.spark import causes as spark_causes
from etl.spark.causes import explained, in_words, last_cause, of_spark
from etl.spark.process import describe_exit


@pytest.fixture(autouse=True)
def spark_of_other_tests_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JVM that lives is given some seconds to die, where a text says that it is gone."""
    monkeypatch.setattr(spark_causes, "_DYING_SECONDS", 0.1)


CUT_ARCHIVE = """An error occurred while calling o170.collectToPython.
: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///in/cut.csv.gz.  SQLSTATE: KD001
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.cannotReadFilesError(QueryExecutionErrors.scala:940)
Caused by: com.univocity.parsers.common.TextParsingException: java.lang.IllegalStateException - Error reading from input
Parser Configuration: CsvParserSettings:
\tAuto configuration enabled=true
Internal state when error was thrown: line=0, column=0, record=0
\tat com.univocity.parsers.common.AbstractParser.handleException(AbstractParser.java:402)
\t... 1 more
Caused by: java.lang.IllegalStateException: Error reading from input
\t... 30 more
Caused by: java.io.EOFException: Unexpected end of input stream
\tat org.apache.hadoop.io.compress.DecompressorStream.decompress(DecompressorStream.java:165)
\t... 34 more
"""  # noqa: E501
NO_PARQUET = """An error occurred while calling o189.parquet.
: org.apache.spark.SparkException: [FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER] Encountered error while reading file file:/in/b.parquet. Could not read footer.
If it is, you can choose to either ignore it or fix the corruption. SQLSTATE: KD001
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.cannotReadFooterForFileError(QueryExecutionErrors.scala:1123)
\tSuppressed: org.apache.spark.SparkException: Exception thrown in awaitResult
\t\tat org.apache.spark.util.SparkThreadUtils$.awaitResult(SparkThreadUtils.scala:66)
\t\t... 1 more
Caused by: java.lang.RuntimeException: file:/in/b.parquet is not a Parquet file (length is too low: 5)
\tat org.apache.parquet.hadoop.ParquetFileReader.readFooter(ParquetFileReader.java:599)
"""  # noqa: E501
MISMATCH = """An error occurred while calling o224.collectToPython.
: org.apache.spark.SparkException: [FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH] Encountered error while reading file file:///in/p.parquet. Data type mismatches when reading Parquet column [id]. SQLSTATE: KD001
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.parquetColumnDataTypeMismatchError(QueryExecutionErrors.scala:918)
Caused by: org.apache.spark.sql.execution.datasources.SchemaColumnConvertNotSupportedException: column: [id], physicalType: BINARY, logicalType: int
\t... 1 more
"""  # noqa: E501
FORBIDDEN = """An error occurred while calling o435.parquet.
: java.nio.file.AccessDeniedException: s3a://lake/x: getFileStatus on s3a://lake/x: software.amazon.awssdk.services.s3.model.S3Exception: Forbidden (Service: S3, Status Code: 403, Request ID: 2B0E):null
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:274)
Caused by: software.amazon.awssdk.services.s3.model.S3Exception: Forbidden (Service: S3, Status Code: 403, Request ID: 2B0E)
\tat software.amazon.awssdk.services.s3.model.S3Exception$BuilderImpl.build(S3Exception.java:113)
"""  # noqa: E501
STORE_DOWN = """An error occurred while calling o450.parquet.
: java.net.ConnectException: getFileStatus on s3a://lake/x: software.amazon.awssdk.core.exception.SdkClientException: Unable to execute HTTP request: Connect to 127.0.0.1:1 failed: Connection refused (SDK Attempt Count: 5)
\tat java.base/jdk.internal.reflect.NativeConstructorAccessorImpl.newInstance0(Native Method)
Caused by: software.amazon.awssdk.core.exception.SdkClientException: Unable to execute HTTP request: Connect to 127.0.0.1:1 failed: Connection refused (SDK Attempt Count: 5)
\tSuppressed: software.amazon.awssdk.core.exception.SdkClientException: Request attempt 1 failure: Unable to execute
Caused by: org.apache.http.conn.HttpHostConnectException: Connect to 127.0.0.1:1 failed: Connection refused
\t... 51 more
Caused by: java.net.ConnectException: Connection refused
\t... 80 more
"""  # noqa: E501
WORKER_DIED = """An error occurred while calling o278.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 11.0 failed 1 times, most recent failure: Lost task 0.0 in stage 11.0 (TID 16) (localhost executor driver): org.apache.spark.SparkException: Python worker exited unexpectedly (crashed).
\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.applyOrElse(PythonRunner.scala:704)
Caused by: java.io.EOFException
\tat java.base/java.io.DataInputStream.readInt(DataInputStream.java:386)
\t... 21 more

Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.$anonfun$abortStage$3(DAGScheduler.scala:3318)
Caused by: java.io.EOFException
\t... 21 more
"""  # noqa: E501
EXECUTOR_LOST = """An error occurred while calling o99.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3 in stage 1.0 (TID 5) (10.0.0.7 executor 3): ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: Container killed by the node: exit code 137
Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2898)
"""  # noqa: E501
HEAP = """An error occurred while calling o99.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times, most recent failure: Lost task 0.0 in stage 1.0 (TID 1) (localhost executor driver): java.lang.OutOfMemoryError: Java heap space
\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)
"""  # noqa: E501
HEAP_OF_EXECUTOR = HEAP.replace("(localhost executor driver)", "(10.0.0.7 executor 3)")
NO_PYTHON = """An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task 0.3 in stage 0.0 (TID 3) (127.0.0.1 executor 1): org.apache.spark.SparkException: 
Error from python worker:
  expected Python 3.11, as the driver has it, on this machine, found none on PATH or in /usr/local/bin
PYTHONPATH was:
  /spark/python/lib/pyspark.zip:/spark/jars/spark-core_2.13-4.2.0.jar
org.apache.spark.SparkException: EOFException occurred while reading the port number from pyspark.daemon's stdout.
\tat org.apache.spark.api.python.PythonWorkerFactory.startDaemon(PythonWorkerFactory.scala:346)
"""  # noqa: E501, W291
NO_PROGRAM = """An error occurred while calling z:org.apache.spark.api.python.PythonRDD.collectAndServe.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task 0.3 in stage 0.0 (TID 3) (127.0.0.1 executor 1): java.io.IOException: Cannot run program "/opt/etl/bin/python": error=2, No such file or directory
\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)
Caused by: java.io.IOException: error=2, No such file or directory
\t... 20 more
"""  # noqa: E501
STOPPED = """Cannot call methods on a stopped SparkContext.
This stopped SparkContext was created at:
.<init>(JavaSparkContext.scala:59)
"""
UDF = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "writer.py", line 29, in write
    raise ValueError("why")
ValueError: why
and where
"""
OURS = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "writer.py", line 36, in write
    raise OverloadedError("expected the object store to write x, it answered SlowDown")
etl.errors.OverloadedError: expected the object store to write x, it answered SlowDown
"""
UNRESOLVED = """[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nope` cannot be resolved. Did you mean [`id`]. SQLSTATE: 42703;
'Project ['nope]
+- Range (0, 3, step=1, splits=Some(2))
"""  # noqa: E501
JDBC = """An error occurred while calling o9.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times, most recent failure: Lost task 0.0 in stage 1.0 (TID 1) (host executor driver): org.postgresql.util.PSQLException: ERROR: division by zero
\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2734)
Driver stacktrace:
Caused by: org.postgresql.util.PSQLException: ERROR: division by zero
\t... 1 more
"""  # noqa: E501
SNAPSHOT_GONE = JDBC.replace("division by zero", 'invalid snapshot identifier: "00000003-0000001B-1"')
STORE_SILENT = """An error occurred while calling o86.collectToPython.
: org.apache.hadoop.fs.s3a.AWSApiCallTimeoutException: getFileStatus on s3a://lake/x: software.amazon.awssdk.core.exception.ApiCallTimeoutException: Client execution did not complete before the specified timeout configuration: 60000 millis
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:224)
Caused by: software.amazon.awssdk.core.exception.ApiCallTimeoutException: Client execution did not complete before the specified timeout configuration: 60000 millis
\t... 30 more
"""  # noqa: E501
GONE = "An error occurred while calling z:py4j.reflection.TypeUtil.isInstanceOf"

MEMORY = "give it more (spark.driver.memory"
FAULTS: dict[str, tuple[str, type[EtlError], str]] = {
    "a cut-off archive": (CUT_ARCHIVE, SourceError, "/in/cut.csv.gz: Unexpected end of input stream"),
    "no Parquet": (NO_PARQUET, SourceError, "/in/b.parquet is not a Parquet file (length is too low: 5)"),
    "another type": (MISMATCH, SourceError, "/in/p.parquet: column: [id], physicalType: BINARY, logicalType: int"),
    "a forbidden store": (FORBIDDEN, SourceError, "s3a://lake/x: Forbidden (Service: S3, Status Code: 403)"),
    "a store that is down": (STORE_DOWN, ConnectionLostError, "Connect to 127.0.0.1:1 failed: Connection refused"),
    "a store that stands still": (
        STORE_SILENT,
        ConnectionLostError,
        "the object store gave no answer in time; does it",
    ),
    "a worker that died": (WORKER_DIED, TerminalError, "a Python worker of Spark died"),
    "a lost executor": (EXECUTOR_LOST, TerminalError, "an executor was lost: Container killed by the node"),
    "a full heap": (HEAP, TerminalError, f"Spark ran out of memory; {MEMORY}"),
    "a full heap elsewhere": (HEAP_OF_EXECUTOR, TerminalError, "an executor ran out of memory; give executors more"),
    "a machine without Python": (NO_PYTHON, TerminalError, "expected Python 3.11, as the driver has it, on this"),
    "another machine's Python": (NO_PROGRAM, TerminalError, 'Cannot run program "/opt/etl/bin/python"'),
    "rows that are lost": (SNAPSHOT_GONE, TerminalError, "the rows that were held for this load went with"),
    "a cluster that is gone": (STOPPED, TerminalError, "Spark has ended this application; on a cluster most often"),
    "a function's error": (UDF, TerminalError, "why\nand where"),
    "an error of ours": (OURS, OverloadedError, "expected the object store to write x, it answered SlowDown"),
    "an unknown column": (UNRESOLVED, TerminalError, "A column with name `nope` cannot be resolved. Did you mean"),
    "the source's own": (JDBC, TerminalError, "ERROR: division by zero"),
    "a JVM that is gone": (GONE, TerminalError, "Spark's JVM no longer answers"),
}
CLASS_NAMES = re.compile(
    r"Py4J|SparkException|PySpark|\b(?:[a-z]\w*\.){2,}[A-Z]|"
    + "|".join(name for name in vars(errors) if name.endswith("Error"))
)


@pytest.mark.parametrize(("text", "kind", "said"), FAULTS.values(), ids=FAULTS)
def test_the_last_cause_is_said_in_words(text: str, kind: type[EtlError], said: str) -> None:
    for error in (PySparkException(text), Py4JError(text)):
        found = explained(error)
        assert type(found) is kind
        assert said in str(found)
        assert not CLASS_NAMES.search(str(found))
        assert found.__cause__ is error


@pytest.mark.parametrize(("text", "kind", "said"), FAULTS.values(), ids=FAULTS)
def test_at_a_stores_door_it_also_says_what_was_to_be_done(text: str, kind: type[EtlError], said: str) -> None:
    found = of_spark(PySparkException(text), "merge", table="t")
    assert str(found).startswith("expected Spark to merge, it failed: ")
    assert said in str(found)
    assert type(found) is (kind if issubclass(kind, errors.TransientError) else StoreError)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[DELTA_CONCURRENT_APPEND] files were added", ContentionError),
        ("java.net.ConnectException: Connection refused", ConnectionLostError),
        ("Service: S3, Status Code: 503", OverloadedError),
    ],
)
def test_what_may_be_tried_again(text: str, kind: type[EtlError]) -> None:
    assert type(explained(PySparkException(text))) is kind


def test_a_text_without_a_cause_is_said_itself() -> None:
    assert last_cause("").said == "no message"
    assert in_words("nothing to see") == "nothing to see"


def test_errors_of_ours_and_of_the_program() -> None:
    ours = StoreError("as it was")
    assert explained(ours) is ours
    unforeseen = explained(KeyError("amount"), table="orders")
    assert type(unforeseen) is TerminalError
    assert (unforeseen.table, str(unforeseen).partition(";")[0]) == (
        "orders",
        "'amount' (KeyError, which nobody has foreseen)",
    )
    assert str(explained(OSError(28, "No space left on device", "/spill"))) == (
        "[Errno 28] No space left on device: '/spill'"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (52, "ran out of memory and ended (exit code 52); give it more"),
        (-9, "was killed (signal 9), most often by the system for want of memory"),
        (137, "was killed (signal 9)"),
        (-15, "was ended by signal 15 (SIGTERM)"),
        (1, "ended with exit code 1"),
    ],
)
def test_why_the_jvm_ended(code: int, said: str) -> None:
    assert said in describe_exit(code)


def test_an_exception_without_a_message_is_told_by_its_name_in_words() -> None:
    trace = "\tat org.apache.spark.sql.catalyst.trees.TreeNode.mapChildren(TreeNode.scala:1)\n"
    head = "An error occurred while calling o24969.select.\n: "
    assert in_words(f"{head}java.lang.NullPointerException\n{trace}") == "null pointer exception"
    too_deep = in_words(f"{head}java.lang.StackOverflowError\n{trace * 3}")
    assert too_deep.startswith("an expression is nested too deeply for Spark's stack")


@pytest.mark.parametrize(
    "said",
    [
        "An error occurred while calling o1.collectToPython.\n: java.lang.NullPointerException: Cannot invoke "
        '"org.apache.spark.scheduler.DAGScheduler.runJob(org.apache.spark.rdd.RDD)" because the return value of '
        '"org.apache.spark.SparkContext.dagScheduler()" is null\n\tat org.apache.spark.SparkContext.runJob(S.scala:1)',
        "Error while sending or receiving: Exception while sending command.",
    ],
)
def test_what_a_jvm_says_as_it_dies_is_why_it_dies(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers a little longer than its context stands: the exit code comes a moment later."""
    process = subprocess.Popen(["/bin/sh", "-c", "sleep 0.05; exit 52"])
    monkeypatch.setattr(spark_causes, "_DYING_SECONDS", 10)
    monkeypatch.setattr(SparkContext, "_gateway", SimpleNamespace(proc=process))
    assert in_words(said).startswith("Spark's JVM ran out of memory and ended (exit code 52)")
