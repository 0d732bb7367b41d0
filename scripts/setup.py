"""Sets up a bare machine: virtual environment, Spark's packages, the page. On the system's Python, nothing else.

Called by ./spark-submit.sh and by make through scripts/setup.sh; idempotent, quick when there is nothing to do. Every
step leaves a stamp named after what it was made from, so a changed pin is noticed and a killed step is repeated.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from page import set_up_page
from surroundings import IVY, ROOT, VENV, SetupError, locked, say

sys.path.append(str(ROOT))

from etl.spark.class_archive import find_class_archive
from etl.spark.java import find_java, major_version, release_of

SPARK_DEFAULTS = ROOT / "conf" / "spark-defaults.conf"
OLDEST_JAVA = 17

UPLOADER, STAGING, ORCHESTRATOR, PAGE, EVERYTHING, DEVELOPMENT = REQUIREMENTS = (
    "requirements-uploader.txt",
    "requirements-staging.txt",
    "requirements-orchestrator.txt",
    "requirements-page.txt",
    "requirements.txt",
    "requirements-dev.txt",
)
_SMALL = "about 400 MB on disk, half a minute"
_SIZES = dict.fromkeys((UPLOADER, STAGING, ORCHESTRATOR, PAGE), _SMALL)


def main() -> int:
    parser = argparse.ArgumentParser(description="Sets up what ownlens-etl needs below this folder.")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--dev", action="store_true", help="also what the checks and tests need")
    scope.add_argument("--uploader", action="store_true", help="only the uploader and its PostgreSQL; needs no Java")
    scope.add_argument("--staging", action="store_true", help="these and the staging loader; needs no Java")
    scope.add_argument("--orchestrator", action="store_true", help="these and the orchestrator; needs no Java")
    scope.add_argument("--page", action="store_true", help="uploader, staging loader and its page; needs no Java")
    options = parser.parse_args()
    without_java = {
        UPLOADER: options.uploader,
        STAGING: options.staging,
        ORCHESTRATOR: options.orchestrator,
        PAGE: options.page,
    }
    try:
        for requirements in (each for each, is_asked in without_java.items() if is_asked):
            set_up_environment(requirements)
            if requirements == PAGE:
                set_up_page()
            return 0
        check_java()
        set_up_environment(DEVELOPMENT if options.dev else EVERYTHING)
        set_up_spark_packages()
        set_up_class_archive()
        if options.dev:
            set_up_page()
    except SetupError as error:
        say(f"error: {error}")
        return 1
    return 0


# --- Java -----------------------------------------------------------------------------------------------------------


def check_java() -> None:
    """Started, for a twentieth of a second or two, only where its release file does not say which one it is."""
    wanted = f"Java {OLDEST_JAVA} or later (a JRE is enough), on PATH or in JAVA_HOME"
    java = find_java()
    said = (release_of(java) or said_by(java)) if java else None
    if java is None or said is None:
        raise SetupError(f"expected {wanted}; found none. On Debian: apt install openjdk-17-jre-headless")
    if (version := major_version(said)) is None or version < OLDEST_JAVA:
        raise SetupError(f"expected {wanted}; found {java}: {version or said.strip()}")


def said_by(java: Path) -> str | None:
    try:
        return subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return None


# --- the virtual environment ----------------------------------------------------------------------------------------


def set_up_environment(requirements: str) -> None:
    """Installs into .venv unless its stamp says that just these requirements are there."""
    wide_enough = (each for each in REQUIREMENTS if requirements in (each, *included_by(each)))
    if any(environment_stamp(each).exists() for each in wide_enough):
        return
    IVY.mkdir(parents=True, exist_ok=True)
    with locked(IVY / "setup-lock"):
        if environment_stamp(requirements).exists():
            return
        create_environment()
        install(requirements)


def environment_stamp(requirements: str) -> Path:
    """Its name says which pins, and which commands of our own, an environment was made from."""
    included = sorted({requirements, *included_by(requirements)})
    content = "".join((ROOT / name).read_text(encoding="utf-8") for name in included) + own_commands()
    return VENV / f".{Path(requirements).stem}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def included_by(requirements: str) -> Iterator[str]:
    """The files whose requirements this one asks for, too."""
    for included in re.findall(r"^-r (\S+)", (ROOT / requirements).read_text(encoding="utf-8"), flags=re.MULTILINE):
        yield included
        yield from included_by(included)


def own_commands() -> str:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    return settings["options.entry_points"]["console_scripts"]


def create_environment() -> None:
    """Afresh where the last installation was interrupted: what it left half-written cannot be told from whole."""
    if (VENV / ".installing").exists():
        say("the last set-up was interrupted; starting the virtual environment afresh ...")
        shutil.rmtree(VENV)
    if not (VENV / "bin" / "python").exists():
        say(f"creating the virtual environment .venv with Python {sys.version.split()[0]} ...")
        VENV.mkdir(exist_ok=True)
        (VENV / ".installing").touch()
        try:
            venv.create(VENV, with_pip=True)
        except subprocess.CalledProcessError:
            raise SetupError("Python's venv module lacks pip; on Debian: apt install python3-venv") from None


def install(requirements: str) -> None:
    size = _SIZES.get(requirements, "about 1.2 GB on disk; the first time this takes a few minutes")
    say(f"installing {requirements} ({size}) ...")
    (VENV / ".installing").touch()
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--use-pep517"]
    command += ["--disable-pip-version-check"]
    # the second: our commands, such as .venv/bin/uploader, running from this folder
    for what in (["-r", str(ROOT / requirements)], ["--no-deps", "--editable", str(ROOT)]):
        if subprocess.run([*command, *what], check=False).returncode != 0:
            raise SetupError(f"pip could not install {requirements}; what it said stands above. Run the command again")
    # what another scope installed stays, as far as its pins are still the same
    current = {environment_stamp(each) for each in REQUIREMENTS}
    for old in set(VENV.glob(".requirements*")) - current:
        old.unlink()
    environment_stamp(requirements).touch()
    (VENV / ".installing").unlink()
    say("done; `source .venv/bin/activate` makes the tools' one command `etl` in a shell, else it is .venv/bin/etl")


# --- Spark's packages -----------------------------------------------------------------------------------------------


def set_up_spark_packages() -> None:
    """Lets Spark itself resolve its packages, once, and lists the JARs so that later starts need no network."""
    listing = spark_jars_file()
    if listing.exists():
        return
    IVY.mkdir(parents=True, exist_ok=True)
    with locked(IVY / "lock"):
        if listing.exists():
            return
        say("fetching Spark's packages (about 70 MB, a minute) ...")
        shutil.rmtree(IVY / "jars", ignore_errors=True)
        resolve_spark_packages()
        jars = sorted((IVY / "jars").glob("*.jar"))
        for old in IVY.glob("spark-jars-*.txt"):
            old.unlink()
        partial = listing.with_suffix(".partial")
        # `local:` tells Spark that every worker has the file: nothing is copied at each start.
        partial.write_text(",".join(jar.as_uri().replace("file://", "local:", 1) for jar in jars))
        partial.replace(listing)


def spark_jars_file() -> Path:
    """Named after the packages and the PySpark it is for, and where; etl/spark/defaults.py looks for the same."""
    text = SPARK_DEFAULTS.read_text(encoding="utf-8")
    pins = re.findall(r"^spark\.jars\.(?:packages|excludes)\s+(\S+)", text, flags=re.MULTILINE)
    identity = "\n".join([*pins, str(IVY)])
    return IVY / f"spark-jars-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.txt"


def resolve_spark_packages() -> None:
    (IVY / "home").mkdir(exist_ok=True)
    nothing = IVY / "nothing.py"
    nothing.write_text('"""Spark resolves its packages before it runs this."""\n')
    command = [str(VENV / "bin" / "spark-submit"), "--properties-file", str(SPARK_DEFAULTS), "--master", "local[1]"]
    command += ["--conf", f"spark.jars.ivy={IVY}"]
    if settings := os.environ.get("ETL_IVY_SETTINGS"):
        command += ["--conf", f"spark.jars.ivySettings={settings}"]
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": str(VENV / "bin" / "python"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        # Spark would also look into ~/.m2, where a POM without its JAR makes the resolution fail.
        "SPARK_SUBMIT_OPTS": f"-Duser.home={IVY / 'home'}",
    }
    environment.pop("SPARK_HOME", None)
    done = subprocess.run([*command, str(nothing)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError("Spark could not fetch its packages; it said:\n" + "\n".join(done.stderr.splitlines()[-25:]))


# --- the archive of Spark's classes ---------------------------------------------------------------------------------


def set_up_class_archive() -> None:
    """What spares each start some seconds. Where it cannot be made jobs start as they would without, and it is not
    tried again for the same Java and packages."""
    archive = next((find_class_archive(home) for home in VENV.glob("lib/python3*/site-packages/pyspark")), None)
    if archive is None or archive.is_settled or not os.access(VENV, os.W_OK):
        return
    with locked(VENV / ".classes-lock"):
        if archive.is_settled:
            return
        say("archiving Spark's classes, for quick starts (about 160 MB, a quarter of a minute) ...")
        for old in (*VENV.glob("spark-classes-*.jsa"), *VENV.glob("spark-classes-*.partial")):
            old.unlink()
        command = [str(VENV / "bin" / "python"), "-P", "-m", "etl.spark.archiving"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if not archive.is_settled:
            said = done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"]
            say(f"not archived, jobs start without: {said[-1]}")
            archive.file.touch()


if __name__ == "__main__":
    sys.exit(main())
