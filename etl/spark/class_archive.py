"""The archive of Spark's classes, and the options by which the driver's JVM starts from it.

A JVM reads, parses and verifies some ten thousand classes before a session stands. Java can keep them as it has them in
memory and map them at the next start (class data sharing). The set-up makes the archive (archiving.py). Java itself
refuses one that does not fit its build, its class path or a JAR, and starts as it would without.

Standard library only: scripts/setup.py asks here, too, under the system's Python.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

from etl.project import PROJECT_DIR
from etl.spark.defaults import jars_listing, read_spark_defaults
from etl.spark.java import find_java, release_of

KEPT_IN = PROJECT_DIR / ".venv"
_CLASS_PATH, _JAVA_OPTIONS = "spark.driver.extraClassPath", "spark.driver.defaultJavaOptions"
_PROPERTIES = "--properties-file"
_QUIETLY = "-Xlog:cds=off -Xlog:cds+dynamic=off"
"""Java says a line a class that it cannot archive, and one at each start for which the archive does not fit."""


@dataclass(frozen=True)
class ClassArchive:
    """`file` is named after Java, Spark and all packages; an empty one says that this Java makes none."""

    file: Path
    class_path: str

    @property
    def is_settled(self) -> bool:
        return self.file.exists()

    def used(self) -> dict[str, str]:
        """Options of a JVM that starts from it; none where it is not there."""
        if not self.is_settled or not self.file.stat().st_size:
            return {}
        return self._options("SharedArchiveFile", self.file)

    def made(self, file: Path) -> dict[str, str]:
        """Options of a JVM that writes it when it ends. What C2 compiles in these seconds would not be used."""
        options = self._options("ArchiveClassesAtExit", file)
        return options | {_JAVA_OPTIONS: f"{options[_JAVA_OPTIONS]} -XX:TieredStopAtLevel=1"}

    def _options(self, flag: str, file: Path) -> dict[str, str]:
        return {_CLASS_PATH: self.class_path, _JAVA_OPTIONS: f"{shlex.quote(f'-XX:{flag}={file}')} {_QUIETLY}"}


def archive_options(spark_home: Path, given: Mapping[str, str]) -> dict[str, str]:
    """None where there is no archive, or where what is given says itself what stands on the class path."""
    if _CLASS_PATH in given or _JAVA_OPTIONS in given:
        return {}
    archive = find_class_archive(spark_home)
    return archive.used() if archive else {}


def with_class_archive(spark_home: Path, submitted: str) -> str:
    """What spark-submit is given, as PYSPARK_SUBMIT_ARGS has it, with these options before it: the last one wins."""
    arguments = shlex.split(submitted)
    options = archive_options(spark_home, _properties(arguments))
    return shlex.join([*chain.from_iterable(("--conf", "=".join(pair)) for pair in options.items()), *arguments])


def find_class_archive(spark_home: Path) -> ClassArchive | None:
    """None where there can be none: packages that are not fetched yet, a Java that does not say which one it is.

    Java takes an archive only where its class path begins with the one that it was made with, JAR by JAR and no folder
    among them: hence all by name, before conf/ and what else Spark adds itself.
    """
    listing, java = jars_listing(), find_java()
    release = release_of(java) if java else None
    if java is None or release is None or not listing.exists():
        return None
    packages = listing.read_text(encoding="utf-8").replace("local:", "").split(",")
    jars = [*sorted(map(str, spark_home.resolve().glob("jars/*.jar"))), *packages]
    if any(os.pathsep in jar or not Path(jar).exists() for jar in jars):
        return None
    identity = "\n".join([str(java.resolve()), release, *_states(jars)])
    name = f"spark-classes-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.jsa"
    return ClassArchive(KEPT_IN / name, os.pathsep.join(jars))


def _properties(arguments: Sequence[str]) -> dict[str, str]:
    """Of the file that is in force. Options on the command line need no look: they come after ours."""
    named = [value for option, value in pairwise(arguments) if option == _PROPERTIES]
    named += [each.partition("=")[2] for each in arguments if each.startswith(f"{_PROPERTIES}=")]
    return {
        name: value for file in named if Path(file).is_file() for name, value in read_spark_defaults(Path(file)).items()
    }


def _states(jars: Sequence[str]) -> Iterator[str]:
    """As Java compares them: it refuses an archive where a JAR was written anew."""
    for jar in jars:
        state = Path(jar).stat()
        yield f"{jar} {state.st_size} {state.st_mtime_ns}"
