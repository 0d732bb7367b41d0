"""Fetches JARs by their Maven coordinates, with the Ivy that PySpark brings along: no build tool is needed."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from etl.errors import StoreError
from etl.project import ivy_dir
from etl.stack.layout import locked

IVY_SETTINGS_VARIABLE = "ETL_IVY_SETTINGS"

_MODULE = """<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">
  <info organisation="ownlens" module="embedded"/>
  <dependencies>
    <dependency org="{organisation}" name="{module}" rev="{version}" transitive="false">
      <artifact name="{module}" type="jar" ext="jar"{classifier}/>
    </dependency>
  </dependencies>
</ivy-module>
"""


@dataclass(frozen=True)
class Jar:
    """Its Maven coordinates, and what its content must be."""

    organisation: str
    module: str
    version: str
    sha256: str
    classifier: str | None = None

    @property
    def ivy_module(self) -> str:
        classifier = f' m:classifier="{self.classifier}"' if self.classifier else ""
        return _MODULE.format(
            organisation=self.organisation, module=self.module, version=self.version, classifier=classifier
        )


S3PROXY = Jar(
    "org.gaul",
    "s3proxy",
    "4.1.0",
    "a4d025969aaf796616ed4b1e2491d87d455ce84bb28cb9db086b2e6aaa68b48d",
    classifier="jar-with-dependencies",
)


def java() -> str:
    """`$JAVA_HOME`'s java, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    candidate = Path(home) / "bin" / "java" if home else None
    found = str(candidate) if candidate and candidate.exists() else shutil.which("java")
    if not found:
        raise StoreError("expected Java 17 or later on PATH or in JAVA_HOME, found none; install a JRE and try again")
    return found


def path_of(jar: Jar) -> Path:
    """The JAR, from disk or, the first time, from the Maven repository; its content is the pinned one or it fails."""
    folder = ivy_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{jar.module}-{jar.version}.jar"
    with locked(folder / "lock", on_wait=lambda: None):
        if not path.exists() or _sha256(path) != jar.sha256:
            _retrieve(folder, jar, path)
    return path


def _retrieve(folder: Path, jar: Jar, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix="retrieve-") as scratch:
        module = Path(scratch) / "ivy.xml"
        module.write_text(jar.ivy_module, encoding="utf-8")
        output = _run_ivy(folder, ["-ivy", str(module), "-retrieve", f"{scratch}/[artifact].[ext]"])
        retrieved = Path(scratch) / f"{jar.module}.jar"
        if not retrieved.exists():
            raise StoreError(f"{jar.organisation}:{jar.module}:{jar.version} could not be fetched; Ivy said:\n{output}")
        found = _sha256(retrieved)
        if found != jar.sha256:
            shutil.rmtree(folder / "cache" / jar.organisation, ignore_errors=True)
            raise StoreError(f"{path.name} should have SHA-256 {jar.sha256}, fetched was {found}")
        retrieved.replace(path)


def _run_ivy(folder: Path, arguments: list[str]) -> str:
    command = [java(), f"-Divy.home={folder}", "-cp", str(_ivy_jar()), "org.apache.ivy.Main"]
    settings = os.environ.get(IVY_SETTINGS_VARIABLE)
    if settings:
        command += ["-settings", settings]
    done = subprocess.run(
        [*command, "-cache", f"{folder}/cache", *arguments], capture_output=True, text=True, check=False
    )
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])


def _ivy_jar() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the package pyspark is not installed; run `make setup`")
    return next((Path(spec.submodule_search_locations[0]) / "jars").glob("ivy-*.jar"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
