"""Starts Spark's JVM as a child of this process, also beside what this process does meanwhile."""

from __future__ import annotations

import atexit
import os
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from subprocess import STDOUT
from threading import Thread
from time import sleep

import psutil
import pyspark
from py4j.java_gateway import JavaGateway
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway

from etl.errors import TerminalError
from etl.project import log_dir
from etl.spark.class_archive import with_class_archive

SPARK_HOME = Path(pyspark.__file__).parent
_SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
"""What ./spark-submit.sh was given for Spark; the job itself is this process."""
_LAUNCHER_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Spark lets a JVM make up the command line of the other one: it lives a quarter of a second."""
_SHOWN_LETTERS = 3_000
_LOOK_EVERY_SECONDS = 0.002


def is_left_to_us() -> bool:
    """Whether ./spark-submit.sh started this process, and not a JVM of spark-submit's that is there already."""
    return bool(os.environ.get(_SUBMIT_ARGUMENTS)) and "PYSPARK_GATEWAY_PORT" not in os.environ


def begin_jvm() -> None:
    """Lets the JVM of ./spark-submit.sh start beside what this process still has to import and to read."""
    if is_left_to_us() and not _begun and SparkContext._gateway is None:
        _begun.append(_Start.of_submission())


def start_jvm(conf: SparkConf | None = None) -> None:
    """The one that has begun, else one with these options, or with those of ./spark-submit.sh."""
    start = _begun.pop() if _begun else _Start(conf) if conf else _Start.of_submission()
    try:
        SparkContext._ensure_initialized(gateway=start.gateway())
    except KeyboardInterrupt:
        start.give_up()
        raise


class _Start:
    """A JVM on its way, whose words go to a file: the terminal is the run's.

    It is out of the terminal's reach (a group of its own), so that Ctrl-C comes to us alone; it ends when we do, by the
    pipe that it reads from. Until it has answered it does not read from there, and is ended here.
    """

    def __init__(self, conf: SparkConf | None) -> None:
        self._conf = conf
        self._others = psutil.Process().children(recursive=True)
        self._answer: Future[JavaGateway] = Future()
        self._thread = Thread(target=self._launch, name="spark-start", daemon=True)
        self._thread.start()
        atexit.register(self.give_up)
        # PySpark forks with Python's own code still to run in the child: nobody may hold a lock, of an import say
        while not self._answer.done() and not self._started():
            sleep(_LOOK_EVERY_SECONDS)

    @classmethod
    def of_submission(cls) -> _Start:
        os.environ[_SUBMIT_ARGUMENTS] = with_class_archive(SPARK_HOME, os.environ[_SUBMIT_ARGUMENTS])
        return cls(None)

    def gateway(self) -> JavaGateway:
        return self._answer.result()

    def give_up(self) -> None:
        if self._answer.done():
            return
        for started in self._started():
            with suppress(psutil.NoSuchProcess):
                started.kill()
        self._thread.join()

    def _started(self) -> set[psutil.Process]:
        return set(psutil.Process().children(recursive=True)).difference(self._others)

    def _launch(self) -> None:
        try:
            self._answer.set_result(_launch(log_dir() / "spark-jvm.log", self._conf))
        except Exception as error:  # noqa: BLE001 - for whoever waits
            self._answer.set_exception(error)


def _launch(log_file: Path, conf: SparkConf | None) -> JavaGateway:
    """What the JVM itself says stands beside Spark's own log."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SPARK_LAUNCHER_OPTS", _LAUNCHER_OPTIONS)
    with log_file.open("ab") as log:
        begin = log.tell()
        options = {"stdout": log, "stderr": STDOUT, "start_new_session": True}
        try:
            return launch_gateway(conf, options)  # type: ignore[no-untyped-call]
        except PySparkRuntimeError as error:
            said = log_file.read_bytes()[begin:].decode(errors="replace").strip()
            raise TerminalError(f"Spark did not start; it said:\n{said[-_SHOWN_LETTERS:]}") from error


_begun: list[_Start] = []
"""Until somebody waits for it."""
