"""scripts/: what a set-up installs, and when it has something to do again."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from etl.project import PROJECT_DIR


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Afresh, as a set-up of its own."""
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "scripts"))
    for each in ("setup", "page", "surroundings"):
        monkeypatch.delitem(importlib.sys.modules, each, raising=False)  # type: ignore[attr-defined]
    return importlib.import_module(name)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The page's part, over a folder of its own."""
    page = module("page", monkeypatch)
    ui = tmp_path / "ui"
    (ui / "src").mkdir(parents=True)
    shutil.copy(PROJECT_DIR / "ui" / "package.json", ui)
    (ui / "package-lock.json").write_text("{}")
    (ui / "src" / "main.tsx").write_text("first")
    for name, path in (("UI", ui), ("PACKAGES", ui / "node_modules"), ("BUILT", tmp_path / "page"), ("VENV", tmp_path)):
        monkeypatch.setattr(page, name, path)
    yield page


def test_each_set_up_knows_what_it_includes(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = module("setup", monkeypatch)
    assert set(setup.included_by(setup.PAGE)) == {setup.STAGING, setup.UPLOADER}
    assert set(setup.included_by(setup.EVERYTHING)) == {setup.PAGE, setup.ORCHESTRATOR, setup.STAGING, setup.UPLOADER}
    stamps = {setup.environment_stamp(each) for each in setup.REQUIREMENTS}
    assert len(stamps) == len(setup.REQUIREMENTS)


def builds(page: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be started; a build leaves its folder, npm its packages."""
    started: list[list[str]] = []

    def run(_: object, command: list[object], folder: object = None) -> None:
        words = [str(word) for word in command]
        started.append(words)
        page.PACKAGES.mkdir(exist_ok=True)
        if "--outDir" in words:
            Path(words[words.index("--outDir") + 1]).mkdir()

    monkeypatch.setattr(page.Node, "run", run)
    monkeypatch.setattr(page, "find_node", lambda: page.Node(Path("/opt/node/bin"), "24.19.0"))
    return started


def test_a_page_is_built_when_its_sources_changed_and_only_then(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = builds(page, monkeypatch)
    page.set_up_page()
    assert [words[1] for words in started] == ["ci", str(page.PACKAGES / "vite/bin/vite.js")]
    page.set_up_page()
    assert len(started) == 2
    (page.UI / "src" / "main.tsx").write_text("second")
    page.set_up_page()
    assert len(started) == 3
    (page.UI / "package-lock.json").write_text('{"packages": {}}')
    page.set_up_page()
    assert [words[1] for words in started[3:]] == ["ci", str(page.PACKAGES / "vite/bin/vite.js")]


def test_a_build_that_was_broken_off_is_repeated_and_leaves_what_stood(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds(page, monkeypatch)
    page.set_up_page()
    (page.BUILT / "index.html").write_text("the old one")
    (page.UI / "src" / "main.tsx").write_text("does not compile")

    def fail(*_: object, **__: object) -> None:
        page.BUILT.with_name("page.partial").mkdir()
        raise subprocess.CalledProcessError(1, "vite")

    with monkeypatch.context() as broken:
        broken.setattr(page.Node, "run", fail)
        with pytest.raises(page.SetupError, match="the page could not be built; what Vite said stands above"):
            page.set_up_page()
    assert (page.BUILT / "index.html").read_text() == "the old one"
    page.set_up_page()
    assert not (page.BUILT / "index.html").exists()
    assert not page.BUILT.with_name("page.partial").exists()


def test_packages_that_cannot_be_installed_are_told(page: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    builds(page, monkeypatch)

    def fail(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "npm")

    monkeypatch.setattr(page.Node, "run", fail)
    with pytest.raises(page.SetupError, match="Is its registry reachable"):
        page.set_up_page()
    assert not page.packages_stamp().exists()


@pytest.mark.parametrize(
    ("version", "is_used"), [("24.19.0", True), ("22.22.2", True), ("22.9.0", False), (None, False)]
)
def test_a_node_of_the_machine_is_used_where_it_is_new_enough(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None, is_used: bool
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho v{version}\n")
        (tmp_path / name).chmod(0o755 if version else 0o644)
    monkeypatch.setenv("PATH", str(tmp_path))
    wheel = tmp_path / "wheel"
    monkeypatch.setattr(page, "packaged_node", lambda: wheel)
    real = page.version_of
    monkeypatch.setattr(page, "version_of", lambda node: "24.19.0" if node.parent == wheel else real(node))
    assert page.find_node().folder == (tmp_path if is_used else wheel)


def test_the_oldest_node_is_what_package_json_says(page: ModuleType) -> None:
    engines = json.loads((PROJECT_DIR / "ui" / "package.json").read_text())["engines"]["node"]
    assert f">={page.oldest_node()}" == engines
    assert page.numbers("22.9.0") < page.numbers(page.oldest_node())
