"""An installed package adds a destination without a line in this repository; a broken one is named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.config.configuration import Configuration
from etl.config.destinations.registry import BUILT_IN, RESERVED, known_destinations, parse_destination
from etl.config.frozen import FrozenModel
from etl.config.settings import Settings
from etl.config.tables.entries import entry_keys
from etl.doctor.asked import Asked
from etl.doctor.examination import examine
from etl.doctor.findings import Status
from etl.doctor.subjects import subjects
from etl.errors import UsageError
from etl.model import Destination
from etl.pipeline.job import main
from etl.project import PROJECT_DIR
from tests.conftest import RunningStack

SPEC = """
from dataclasses import replace
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.spec import S3
from etl.config.frozen import FrozenModel
from etl.model import Destination

class Config(S3TableLoadConfig):
    destination: Destination = Destination("attic")

SPEC = replace(S3, name=Destination("attic"), aliases=(), load_config=Config)
"""


@pytest.fixture
def fresh() -> Iterator[None]:
    """Destinations are looked for once a process."""
    known_destinations.cache_clear()
    yield
    known_destinations.cache_clear()


def brings(folder: Path, module: str, name: str = "attic") -> None:
    """A distribution as pip leaves it, and its one module."""
    (folder / "attic_module.py").write_text(module)
    info = folder / "etl_attic-1.2.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: etl-attic\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[ownlens_etl.destinations]\n{name} = attic_module:ATTIC\n")


@pytest.fixture
def site(tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "attic_module", raising=False)
    return tmp_path


def test_the_package_is_found_by_its_entry_point(installed: Path) -> None:
    shown = [sys.executable, "-m", "etl.config", "show", "companies", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    found = subprocess.run(shown, cwd=PROJECT_DIR, env=environment, check=True, capture_output=True, text=True)
    assert '"target_name": "companies"' in found.stdout.partition('"duckdb": {')[2]
    without = subprocess.run(shown, cwd=PROJECT_DIR, check=True, capture_output=True, text=True)
    assert "duckdb" not in without.stdout


@pytest.mark.stack
@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_the_package_passes_the_contract_and_is_loaded_by_the_main_job(
    source: Path, installed: Path, stack: RunningStack
) -> None:
    """Its own tests, in a process that has it installed: Spark's workers must find it, too."""
    environment = {**os.environ, **stack.environment, "PYTHONPATH": os.pathsep.join((str(installed), str(PROJECT_DIR)))}
    command = [sys.executable, "-m", "pytest", "-q", "-c", source / "pyproject.toml", "--rootdir", source]
    ended = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_destination_of_a_package_is_one_of_all(site: Path) -> None:
    brings(site, f'{SPEC}ATTIC = replace(SPEC, aliases=("loft",))\n')
    assert list(known_destinations()) == [*(spec.name for spec in BUILT_IN), "attic"]
    assert known_destinations()[Destination("attic")].package == "etl-attic 1.2"
    assert parse_destination("Loft") == "attic"


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("ANOTHER = 1\n", "AttributeError: module 'attic_module' has no attribute 'ATTIC'"),
        ("raise SystemError('out of order')\n", "SystemError: out of order"),
        ("ATTIC = 5\n", "expected a DestinationSpec, found int"),
        (f"{SPEC}ATTIC = replace(SPEC, aliases=('minio',))\n", "the name 'minio' is taken"),
        (f"{SPEC}ATTIC = replace(SPEC, name=Destination('cellar'))\n", "found 'cellar'"),
        (
            f"{SPEC}ATTIC = replace(SPEC, kinds=S3.kinds / 'no')\n",
            "expected what kinds of tables do there, found no file",
        ),
        (
            f"{SPEC}ATTIC = replace(SPEC, load_config=S3TableLoadConfig)\n",
            "expected destination 'attic' in S3TableLoadConfig",
        ),
    ],
)
def test_a_broken_package_is_named_and_nothing_begins(
    site: Path, capsys: pytest.CaptureFixture[str], module: str, reason: str
) -> None:
    brings(site, module)
    assert main(["--load-destinations", "s3"], {}) == 2
    said = capsys.readouterr().err
    assert said.startswith("destination 'attic' of package etl-attic 1.2 (attic_module:ATTIC) cannot be used: ")
    assert reason in said
    assert said.endswith("mend the package, or uninstall it\n")
    with pytest.raises(UsageError):
        known_destinations()


@pytest.mark.parametrize("name", ["run", "source", "hash_salt", "key", "Attic", "at-tic"])
def test_a_name_that_yaml_uses_otherwise_is_refused(site: Path, name: str) -> None:
    brings(site, f"{SPEC}ATTIC = replace(SPEC, name=Destination({name!r}))\n", name)
    with pytest.raises(UsageError, match=f"lower-case letters, digits and _, found '{name}'"):
        known_destinations()


def test_an_alias_that_nobody_could_type_is_refused(site: Path) -> None:
    brings(site, f"{SPEC}ATTIC = replace(SPEC, aliases=['Loft'])\n")
    with pytest.raises(UsageError, match="lower-case letters, digits and _, found 'Loft'"):
        known_destinations()


def test_every_word_of_yaml_is_reserved() -> None:
    ours = {spec.name for spec in BUILT_IN}
    assert {*Settings.model_fields, *entry_keys()} - ours <= RESERVED


def test_the_flags_of_a_run_are_checked_without_a_traceback_where_a_package_is_broken(site: Path) -> None:
    brings(site, "ATTIC = 5\n")
    command = [sys.executable, "-P", "-m", "etl.submission", "conf", "jobs/run_etl.py", "--load-destinations", "s3"]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": f"{PROJECT_DIR}:{site}"}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert "found int" in ended.stderr


def test_a_loader_that_cannot_be_imported_is_named_before_spark_starts(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = "read_server=lambda reader: FrozenModel()"
    brings(site, f"{SPEC}ATTIC = replace(SPEC, loader='no_such_module:Loader', {server})\n")
    (site / "tables").mkdir()
    source = "{type: file, format: parquet, path: x}"
    entry = f"{{kind: reference, key: id, source: {source}, attic: {{mode: overwrite, path: x}}}}"
    (site / "tables" / "shop.yaml").write_text(f"tables:\n  orders: {entry}\n")
    assert main(["--load-destinations", "attic", "--config-dir", str(site)], {}) == 2
    said = capsys.readouterr().err
    assert "the loader of destination attic (no_such_module:Loader, package etl-attic 1.2) cannot be imported" in said


def test_the_doctor_asks_what_its_loader_asks_before_a_run(site: Path) -> None:
    loader = """
from etl.errors import StoreError

class Loader:
    @classmethod
    def require_server(cls, settings):
        raise StoreError("expected an attic, found none; build one")

ATTIC = replace(SPEC, loader="attic_module:Loader")
"""
    brings(site, SPEC + loader)
    configuration = Configuration(Settings(others={Destination("attic"): FrozenModel()}), {}, {})
    asked = Asked(configuration, [Destination("attic")], {}, time.time)
    [found] = examine([each for each in subjects(asked) if each.name == "attic"])
    assert (found.id, found.status, found.next_step) == ("attic.connection", Status.FAILED, "build one")
