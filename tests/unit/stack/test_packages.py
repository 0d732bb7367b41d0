from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from etl.errors import StoreError
from etl.stack import packages

PINNED = replace(packages.S3PROXY, sha256=hashlib.sha256(b"jar").hexdigest())


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for the Maven repository: every retrieval brings a JAR whose content is `jar`."""
    retrievals: list[str] = []

    def run_ivy(_: Path, arguments: list[str]) -> str:
        retrievals.append(Path(arguments[1]).read_text())
        Path(arguments[3].replace("[artifact].[ext]", "s3proxy.jar")).write_bytes(b"jar")
        return "said Ivy"

    monkeypatch.setenv("ETL_IVY_DIR", str(tmp_path))
    monkeypatch.setattr(packages, "_run_ivy", run_ivy)
    return retrievals


def test_the_pinned_jar_is_fetched_once(fetched: list[str]) -> None:
    assert packages.path_of(PINNED).read_bytes() == b"jar"
    assert packages.path_of(PINNED).read_bytes() == b"jar"
    assert len(fetched) == 1
    assert 'org="org.gaul" name="s3proxy" rev="4.1.0"' in fetched[0]
    assert 'm:classifier="jar-with-dependencies"' in fetched[0]


def test_a_jar_damaged_on_disk_is_fetched_again(fetched: list[str]) -> None:
    packages.path_of(PINNED).write_bytes(b"half")
    assert packages.path_of(PINNED).read_bytes() == b"jar"
    assert len(fetched) == 2


def test_another_content_than_the_pinned_is_refused(fetched: list[str], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=packages.S3PROXY.sha256):
        packages.path_of(packages.S3PROXY)
    assert list(tmp_path.glob("*.jar")) == []
    assert len(fetched) == 1


def test_what_ivy_said_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_IVY_DIR", str(tmp_path))
    monkeypatch.setattr(packages, "_run_ivy", lambda *_: "no route to host")
    with pytest.raises(StoreError, match="no route to host"):
        packages.path_of(packages.S3PROXY)


def test_a_missing_java_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StoreError, match="expected Java 17 or later"):
        packages.java()
