from __future__ import annotations

from pathlib import Path

import pytest

from etl.config.lineage import LineageSettings, ParentRun, read_lineage
from etl.config.servers import secrets_of
from tests.unit.config.conftest import Folder

URL = "https://lineage.example.org"
RUN = "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11"


def told(environ: dict[str, str]) -> list[str]:
    settings, faults = read_lineage(environ)
    assert settings is None
    return [str(fault) for fault in faults]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OPENLINEAGE_NAMESPACE": "night", "OPENLINEAGE_API_KEY": "key"},
        {"OPENLINEAGE_URL": ""},
        {"OPENLINEAGE_URL": URL, "OPENLINEAGE_DISABLED": "True"},
    ],
)
def test_nothing_is_told_where_nobody_says_whom(environ: dict[str, str]) -> None:
    assert told(environ) == []


def test_the_shared_variables_say_as_what(tmp_path: Path) -> None:
    assert read_lineage({"OPENLINEAGE_URL": URL}) == (LineageSettings(namespace="ownlens-etl"), [])
    parent = {"OPENLINEAGE_NAMESPACE": "night", "OPENLINEAGE_PARENT_ID": f"airflow/dag.task/{RUN}"}
    assert read_lineage({"OPENLINEAGE__TRANSPORT__TYPE": "console", **parent})[0] == LineageSettings(
        namespace="night", parent=ParentRun(namespace="airflow", name="dag.task", run_id=RUN)
    )
    file = tmp_path / "openlineage.yml"
    file.touch()
    assert read_lineage({"OPENLINEAGE_CONFIG": str(file)})[0] is not None


@pytest.mark.parametrize("url", ["lineage.example.org", "ftp://lineage", "http://", "http://[::1", "http://h:99999"])
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    expected = "environment: OPENLINEAGE_URL: expected http://HOST:PORT or https://HOST:PORT of the server"
    assert told({"OPENLINEAGE_URL": url}) == [expected]


@pytest.mark.parametrize("parent", ["airflow", f"dag.task/{RUN}", "airflow/dag.task/17"])
def test_a_parent_that_is_none_is_refused(parent: str) -> None:
    (fault,) = told({"OPENLINEAGE_URL": URL, "OPENLINEAGE_PARENT_ID": parent})
    assert fault == f"environment: OPENLINEAGE_PARENT_ID: expected NAMESPACE/JOB/UUID of the run, found {parent!r}"


def test_a_file_that_is_not_there_is_refused(folder: Folder) -> None:
    folder.tables("tables: {customers: {kind: reference, key: customer_id}}")
    (fault,) = folder.faults({"OPENLINEAGE_CONFIG": "/nowhere.yml"})
    assert (
        fault == "environment: OPENLINEAGE_CONFIG: no file /nowhere.yml; expected the client's YAML (openlineage.yml)"
    )


def test_its_secrets_are_masked_with_all_others(folder: Folder) -> None:
    environ = {
        "OPENLINEAGE_URL": "https://etl:p%40ss@lineage.example.org",
        "OPENLINEAGE_API_KEY": "the-key",
        "OPENLINEAGE__TRANSPORT__AUTH__APIKEY": "another-key",
        "OPENLINEAGE__TRANSPORT__ENDPOINT": "api/v1/lineage",
    }
    settings = folder.tables("tables: {customers: {kind: reference, key: customer_id}}").load(environ).settings
    assert set(secrets_of(settings)) == {"p@ss", "the-key", "another-key"}
    assert "the-key" not in repr(settings)
