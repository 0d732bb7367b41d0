"""What of etl/spark/session.py needs no JVM: its files, its pins, its agreement with the set-up."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from etl.project import PROJECT_DIR
from etl.spark import session as spark
from etl.spark.defaults import read_spark_defaults


@pytest.fixture
def setup_script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROJECT_DIR / "scripts")
    spec = importlib.util.spec_from_file_location("setup_script", PROJECT_DIR / "scripts" / "setup.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_defaults_are_read_as_spark_submit_reads_them(tmp_path: Path) -> None:
    file = tmp_path / "spark.conf"
    file.write_text("# a comment\n\nspark.master   local[*]\nspark.driver.extraJavaOptions\t-Da=b -Dc=d  \n")
    assert read_spark_defaults(file) == {
        "spark.master": "local[*]",
        "spark.driver.extraJavaOptions": "-Da=b -Dc=d",
    }


def test_defaults_hold_no_secret_and_hide_every_kind_of_key() -> None:
    defaults = read_spark_defaults()
    hidden = re.compile(defaults["spark.redaction.regex"])
    for name in ("fs.s3a.access.key", "fs.s3a.secret.key", "fs.s3a.session.token", "AWS_SECRET_ACCESS_KEY", "password"):
        assert hidden.search(name), name
    assert [name for name in defaults if hidden.search(name)] == []
    in_plans = re.compile(defaults["spark.sql.redaction.string.regex"])
    assert in_plans.sub("*", "postgresql://me:hush@host/db") == "postgresql:*host/db"
    assert in_plans.sub("*", "OPTIONS (password 'x', secret='hush')") == "OPTIONS (password 'x', *)".replace(
        "*)", "*')"
    )


def test_jars_and_python_packages_agree() -> None:
    packages = dict(item.rsplit(":", 1) for item in read_spark_defaults()["spark.jars.packages"].split(","))
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", (PROJECT_DIR / "requirements.txt").read_text(), re.MULTILINE))
    spark_series = ".".join(pins["pyspark"].split(".")[:2])
    assert packages[f"io.delta:delta-spark_{spark_series}_2.13"] == pins["delta-spark"]


def test_set_up_and_session_look_for_the_same_list_of_jars(
    setup_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_IVY_DIR", str(tmp_path))
    monkeypatch.setattr(setup_script, "IVY", tmp_path)
    setup_script.spark_jars_file().write_text("local:/a.jar,local:/b.jar")
    assert spark._packages()["spark.jars"] == "local:/a.jar,local:/b.jar"


def test_without_the_list_spark_resolves_into_our_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_IVY_DIR", str(tmp_path))
    assert spark._packages() == {"spark.jars.ivy": str(tmp_path)}


def test_an_interrupted_installation_is_repeated_from_nothing(
    setup_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").touch()
    (environment / ".installing").touch()
    (environment / "half-written").touch()
    monkeypatch.setattr(setup_script, "VENV", environment)
    created: list[Path] = []
    monkeypatch.setattr(setup_script.venv, "create", lambda path, with_pip: created.append(path))

    setup_script.create_environment()

    assert created == [environment]
    assert not (environment / "half-written").exists()


def test_a_finished_installation_is_kept(
    setup_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_script, "VENV", tmp_path)
    setup_script.environment_stamp("requirements.txt").touch()
    monkeypatch.setattr(setup_script, "install", lambda _: pytest.fail("installed again"))
    setup_script.set_up_environment("requirements.txt")


@pytest.mark.parametrize(
    ("said", "found"),
    [('openjdk version "11.0.2"', "java: 11"), ('java version "1.8.0_381"', "java: 8"), ("what?", "java: what?")],
)
def test_an_old_java_is_refused_by_name(
    said: str, found: str, setup_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(setup_script.SetupError, match=re.escape(found)):
        setup_script.check_java()


def test_a_java_that_says_which_it_is_in_a_file_is_not_started(
    setup_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    release = tmp_path / "release"
    release.write_text('GRAALVM_VERSION="9"\nJAVA_VERSION="17.0.15"\n')
    setup_script.check_java()
    release.write_text('JAVA_VERSION="1.8.0_381"\n')
    with pytest.raises(setup_script.SetupError, match="java: 8"):
        setup_script.check_java()


def test_a_missing_java_is_said(setup_script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(setup_script.SetupError, match="expected Java 17 or later"):
        setup_script.check_java()
