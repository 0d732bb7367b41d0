"""Packages of Python against the pins, and of Spark against PySpark: they move as one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from etl.doctor.findings import Answer, failed, not_asked, ok, some, warning
from etl.project import PROJECT_DIR, ivy_dir
from etl.spark.defaults import jars_listing, read_spark_defaults

REQUIREMENTS = "requirements.txt"
_SET_UP = "scripts/setup.sh"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)", re.MULTILINE)
_INCLUDED = re.compile(r"^-r (\S+)", re.MULTILINE)
_DELTA_JAR = re.compile(r"io\.delta:delta-spark_(?P<spark>\d+\.\d+)_[\d.]+:(?P<delta>[^,\s]+)")


def python_packages(file: Path = PROJECT_DIR / REQUIREMENTS) -> Answer:
    if not file.is_file():
        return not_asked(f"no {file.name} beside the package")
    pins = dict(_pins(file))
    found = {name: installed(name) for name in pins}
    missing = [name for name, at in found.items() if at is None]
    other = [f"{name} {at} (pinned: {pins[name]})" for name, at in found.items() if at not in (None, pins[name])]
    if missing:
        return failed(f"not installed: {some(missing)}", expected=f"the pins of {file.name}", next_step=_SET_UP)
    if other:
        return warning(some(other), expected=f"the pins of {file.name}, which are tested", next_step=_SET_UP)
    return ok(f"all {len(pins)} as pinned in {file.name}")


def delta() -> Answer:
    """PySpark, delta-spark from PyPI and Delta's JAR are of one series; a mixture fails at the first table."""
    spark, python = installed("pyspark"), installed("delta-spark")
    jar = _DELTA_JAR.search(read_spark_defaults().get("spark.jars.packages", ""))
    if spark is None or python is None:
        return failed("pyspark or delta-spark is not installed", expected="both", next_step=_SET_UP)
    if jar is None:
        return failed(
            "no delta-spark among spark.jars.packages",
            expected=f"io.delta:delta-spark_{_series(spark)}_2.13:{python}",
            next_step="put it into conf/spark-defaults.conf",
        )
    told = f"pyspark {spark}, delta-spark {python}, JAR {jar['delta']} for Spark {jar['spark']}"
    if (jar["spark"], jar["delta"]) != (_series(spark), python):
        return failed(told, expected="one series of all three", next_step=f"{_SET_UP} (pins: {REQUIREMENTS}, conf/)")
    return ok(told)


def spark_packages() -> Answer:
    """As the set-up fetched them; Spark fetches them itself where it did not, which needs Maven's repository."""
    listing = jars_listing()
    if not listing.is_file():
        return warning(
            f"none fetched into {ivy_dir()}: Spark will fetch them at its start, from Maven's repository",
            expected=f"the list that {_SET_UP} writes",
            next_step=f"{_SET_UP}, or ETL_IVY_DIR where they lie elsewhere",
        )
    jars = [Path(urlsplit(each).path) for each in listing.read_text().split(",") if each]
    gone = [jar.name for jar in jars if not jar.is_file()]
    if gone:
        return failed(
            f"gone from {ivy_dir()}: {some(gone)}",
            expected=f"all {len(jars)} JARs of {listing.name}",
            next_step=f"rm {listing} && {_SET_UP}",
        )
    return ok(f"all {len(jars)} JARs in {ivy_dir()}")


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _pins(file: Path) -> Iterator[tuple[str, str]]:
    text = file.read_text(encoding="utf-8")
    for included in _INCLUDED.findall(text):
        yield from _pins(file.with_name(included))
    for pin in _PIN.finditer(text):
        yield pin["name"], pin["version"]


def _series(spark: str) -> str:
    return ".".join(spark.split(".")[:2])
