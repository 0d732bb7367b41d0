"""A Spark standalone cluster on loopback: a master and two workers of one core, each a process of its own.

They stand for other machines: they have no PATH and no HOME, work in folders of their own, and, where the system lets
us hide it from them, see neither this checkout nor its packages nor the driver's Python.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil
import pyspark

from etl.project import PROJECT_DIR, ivy_dir
from etl.stack.packages import java
from tests.debian import free_port, wait_until_open

_SPARK = Path(pyspark.__file__).parent
_APART = 'cd "$0"; exec env -i "$@"'
_EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"


@dataclass(frozen=True)
class Cluster:
    """`folder` has the machines' own files: their Spark, work folders and logs."""

    master: str
    folder: Path
    workers: tuple[subprocess.Popen[bytes], ...]

    def executors(self) -> list[psutil.Process]:
        """Those of all workers that run now."""
        below = [each for worker in self.workers for each in psutil.Process(worker.pid).children(recursive=True)]
        return [each for each in below if _EXECUTOR in _arguments(each)]

    def processes(self) -> list[psutil.Process]:
        """Workers, executors, and whatever they have started."""
        workers = [psutil.Process(worker.pid) for worker in self.workers]
        return [*workers, *(child for worker in workers for child in worker.children(recursive=True))]

    def said(self) -> str:
        """What executors wrote, for a test that failed."""
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("worker-*/app-*/*/stderr")))


@contextmanager
def spark_cluster(folder: Path) -> Iterator[Cluster]:
    """`folder` is on no path that is hidden from the machines; all of theirs is below it."""
    with ExitStack() as running:
        port = free_port()
        master = f"spark://127.0.0.1:{port}"
        running.enter_context(_machine(folder / "master", "master.Master", "--port", str(port)))
        wait_until_open(port, "Spark's master", patience_seconds=120)
        as_usual = ("--cores", "1", "--memory", "1500m", "--work-dir", ".", master)
        names = ("worker-1", "worker-2")
        workers = [running.enter_context(_machine(folder / name, "worker.Worker", *as_usual)) for name in names]
        yield Cluster(master, folder, tuple(workers))


@contextmanager
def _machine(home: Path, role: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    prefix, spark = other_machine(home)
    variables = ["PATH=", "HOME=", "SPARK_LOCAL_IP=127.0.0.1", f"SPARK_HOME={spark}", "SPARK_SCALA_VERSION=2.13"]
    command = [str(Path(java()).resolve()), "-Xmx256m", "-cp", f"{spark}/jars/*", f"org.apache.spark.deploy.{role}"]
    command += ["--host", "127.0.0.1", "--webui-port", "0", *arguments]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([*prefix, *variables, *command], stdout=log, stderr=log)
    try:
        yield process
    finally:
        for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def other_machine(home: Path) -> tuple[list[str], Path]:
    """What makes of `NAME=value … program …` a process that works in `home` with these variables alone, and has of this
    project nothing but Spark; and where that is."""
    home.mkdir(exist_ok=True)
    if not can_hide():
        return ["sh", "-ec", _APART, str(home)], _SPARK
    spark = home / "spark"
    spark.mkdir()
    return ["unshare", *_privileges(), "--mount", "sh", "-ec", f"{_hiding(spark)}; {_APART}", str(home)], spark


@cache
def can_hide() -> bool:
    """Whether a process may be given file systems of its own here."""
    tried = ["unshare", *_privileges(), "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def _privileges() -> list[str]:
    return [] if os.geteuid() == 0 else ["--map-root-user"]


def _hiding(spark: Path) -> str:
    """Spark stays, at another place; the driver's Python goes, unless it is the system's."""
    hidden = {PROJECT_DIR.resolve(), ivy_dir().resolve(), Path(sys.base_prefix).resolve()}
    # what lies in another of them goes with it
    apart = sorted(each for each in hidden if hidden.isdisjoint(each.parents))
    covers = [f"mount -t tmpfs none '{each}'" for each in apart if Path("/usr") not in (each, *each.parents)]
    return "; ".join([f"mount --bind '{_SPARK}' '{spark}'", *covers])


def _arguments(process: psutil.Process) -> Sequence[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return ()
