"""etl/spark/class_archive.py: by the machine's Java on Spark's own JARs, without a session."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pyspark
import pytest

from etl.spark import class_archive
from etl.spark.class_archive import ClassArchive, archive_options, find_class_archive, with_class_archive
from etl.spark.defaults import SPARK_DEFAULTS

CLASS_PATH, JAVA_OPTIONS = "spark.driver.extraClassPath", "spark.driver.defaultJavaOptions"
SPARK_HOME = Path(pyspark.__file__).parent
MAIN = "org.apache.spark.deploy.SparkSubmit"
FROM_ARCHIVE = f"{MAIN} source: shared objects file (top)"


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ClassArchive:
    """Of this Java and these packages, in a folder of its own; not made yet."""
    monkeypatch.setattr(class_archive, "KEPT_IN", tmp_path)
    found = find_class_archive(SPARK_HOME)
    assert found is not None
    return found


def java(options: Mapping[str, str], *more: str, before: str = "") -> str:
    """What a JVM with these options of the driver says, and from where it has its classes if it is asked."""
    command = ["java", *shlex.split(options.get(JAVA_OPTIONS, "")), *more, "-cp", before + options[CLASS_PATH]]
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run([*command, MAIN, "--version"], env=environment, check=True, text=True, stdout=-1, stderr=-2)
    return done.stdout


def test_a_jvm_starts_from_what_another_one_has_archived(archive: ClassArchive) -> None:
    java(archive.made(archive.file))
    assert FROM_ARCHIVE in java(archive.used(), "-Xlog:class+load")


def test_java_starts_as_ever_and_says_nothing_where_the_archive_does_not_fit(archive: ClassArchive) -> None:
    without = java(archive.made(archive.file))
    another = str(Path(__file__).parent) + ":"
    assert FROM_ARCHIVE not in java(archive.used(), "-Xlog:class+load", before=another)
    assert java(archive.used(), before=another) == without
    archive.file.chmod(0o600)
    archive.file.write_bytes(b"written by another Java")
    assert java(archive.used()) == without


def test_there_are_no_options_without_an_archive_nor_with_one_that_could_not_be_made(archive: ClassArchive) -> None:
    assert archive_options(SPARK_HOME, {}) == {}
    assert with_class_archive(SPARK_HOME, "--master 'local[2]' pyspark-shell") == "--master 'local[2]' pyspark-shell"
    archive.file.touch()
    assert archive.is_settled
    assert archive_options(SPARK_HOME, {}) == {}


def test_what_is_given_stays_in_force(archive: ClassArchive, tmp_path: Path) -> None:
    archive.file.write_text("an archive")
    ours = archive_options(SPARK_HOME, {"spark.driver.extraJavaOptions": "-Da=b"})
    assert ours == archive.used() != {}
    for name in (CLASS_PATH, JAVA_OPTIONS):
        assert archive_options(SPARK_HOME, {name: "mine"}) == {}
        file = tmp_path / "mine.conf"
        file.write_text(f"{name} mine")
        submitted = f"--properties-file {SPARK_DEFAULTS} --properties-file={file} pyspark-shell"
        assert with_class_archive(SPARK_HOME, submitted) == submitted
    submitted = with_class_archive(SPARK_HOME, f"--conf {CLASS_PATH}=mine pyspark-shell")
    assert submitted.index(archive.class_path) < submitted.index(f"{CLASS_PATH}=mine")


def test_another_java_and_other_jars_have_another_archive(
    archive: ClassArchive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "spark"
    (home / "jars").mkdir(parents=True)
    jar = home / "jars" / "a.jar"
    jar.write_text("one")
    one = find_class_archive(home)
    jar.write_text("written anew")
    anew = find_class_archive(home)
    (tmp_path / "java" / "bin").mkdir(parents=True)
    shutil.copy("/bin/sh", tmp_path / "java" / "bin" / "java")
    (tmp_path / "java" / "release").write_text('JAVA_VERSION="99"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    newer = find_class_archive(home)
    assert one and anew and newer
    assert len({each.file for each in (archive, one, anew, newer)}) == 4


def test_a_java_that_does_not_say_which_it_is_and_a_path_that_java_would_split_have_none(
    archive: ClassArchive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = tmp_path / "a:b"
    (odd / "jars").mkdir(parents=True)
    shutil.copy(next(SPARK_HOME.glob("jars/py4j*.jar")), odd / "jars")
    assert find_class_archive(odd) is None
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_class_archive(SPARK_HOME) is None
