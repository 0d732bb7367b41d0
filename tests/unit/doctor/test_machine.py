"""This machine as a run needs it: Java by a script of that name, packages by pins and lists of a test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from etl.doctor.findings import Status
from etl.doctor.machine import NEWEST_PYTHON, OLDEST_JAVA, OLDEST_PYTHON, folder, java, python
from etl.doctor.packages import delta, installed, python_packages, spark_packages
from etl.project import PROJECT_DIR
from etl.spark.defaults import jars_listing


def java_home(folder: Path, said: str, exit_code: int = 0) -> dict[str, str]:
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {exit_code}\n")
    program.chmod(0o755)
    return {"JAVA_HOME": str(folder), "PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    ("said", "exit_code", "expected", "told"),
    [
        ('openjdk version "17.0.13" 2024-10-15', 0, Status.OK, "17 at "),
        ('openjdk version "21" 2023-09-19', 0, Status.OK, "21 at "),
        ('openjdk version "11.0.25" 2024-10-15', 0, Status.FAILED, 'says openjdk version "11.0.25"'),
        ('java version "1.8.0_432"', 0, Status.FAILED, 'says java version "1.8.0_432"'),
        ("no JVM of mine", 1, Status.FAILED, "cannot be run"),
    ],
)
def test_java_is_the_one_that_spark_will_start(
    tmp_path: Path, said: str, exit_code: int, expected: Status, told: str
) -> None:
    found = java(java_home(tmp_path, said, exit_code))
    assert (found.status, told in found.found) == (expected, True), found
    assert ("JAVA_HOME" in found.next_step) == (expected is Status.FAILED)
    assert str(tmp_path) in found.found


def test_java_that_is_nowhere(tmp_path: Path) -> None:
    assert java({"PATH": str(tmp_path)}).found == "none on PATH, and no JAVA_HOME"
    assert java({"JAVA_HOME": str(tmp_path), "PATH": os.environ["PATH"]}).status is Status.FAILED


def test_python() -> None:
    statuses = [python(found).status for found in ((3, 10), (3, 11), (3, 14), (3, 15))]
    assert statuses == [Status.FAILED, Status.OK, Status.OK, Status.WARNING]


def test_packages_are_compared_with_the_pins_of_all_files(tmp_path: Path) -> None:
    pinned, more = tmp_path / "requirements.txt", tmp_path / "more.txt"
    assert python_packages(pinned).status is Status.NOT_ASKED
    more.write_text(f"# a comment\npydantic=={installed('pydantic')}\n")
    pinned.write_text(f"-r more.txt\nrich=={installed('rich')}\n")
    assert python_packages(pinned).found == "all 2 as pinned in requirements.txt"
    more.write_text("pydantic==0.1\n")
    other = python_packages(pinned)
    assert (other.status, other.next_step) == (Status.WARNING, "scripts/setup.sh")
    assert other.found == f"pydantic {installed('pydantic')} (pinned: 0.1)"
    more.write_text("no-such-package==1\n")
    missing = python_packages(pinned)
    assert (missing.status, missing.found) == (Status.FAILED, "not installed: no-such-package")


def test_delta_of_this_set_up_is_of_one_series() -> None:
    assert delta().status is Status.OK


def test_jars_that_are_not_fetched_or_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_IVY_DIR", str(tmp_path))
    assert spark_packages().status is Status.WARNING
    jars = [tmp_path / name for name in ("a.jar", "b.jar")]
    jars_listing().write_text(",".join(f"local:{jar}" for jar in jars))
    jars[0].touch()
    gone = spark_packages()
    assert (gone.status, gone.found) == (Status.FAILED, f"gone from {tmp_path}: b.jar")
    assert gone.next_step == f"rm {jars_listing()} && scripts/setup.sh"
    jars[1].touch()
    assert spark_packages().found == f"all 2 JARs in {tmp_path}"


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    wanted = tmp_path / "logs" / "deep"
    assert folder(wanted, "ETL_LOG_DIR").status in (Status.OK, Status.WARNING)  # as the disk of the tests is
    assert not wanted.parent.exists()


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    found = folder(tmp_path / "logs" / "deep", "ETL_LOG_DIR")
    assert found.status is Status.FAILED
    assert "ETL_LOG_DIR" in found.next_step


def test_the_set_up_and_the_doctor_want_the_same() -> None:
    """The set-up runs before there is a package to import."""
    scripts = PROJECT_DIR / "scripts"
    assert f"\nOLDEST_JAVA = {OLDEST_JAVA}\n" in (scripts / "setup.py").read_text()
    assert f"{OLDEST_PYTHON} <= sys.version_info[:2] <= {NEWEST_PYTHON}" in (scripts / "setup.sh").read_text()
