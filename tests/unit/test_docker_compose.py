"""docker-compose.yml against the Compose specification, and what we promise of it beyond that."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from etl.project import PROJECT_DIR

TEXT = (PROJECT_DIR / "docker-compose.yml").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(TEXT)["services"]


def test_it_follows_the_specification() -> None:
    assert set(PyCompose.from_yaml(TEXT).to_dict()["services"]) == {
        "postgresql",
        "clickhouse",
        "minio",
        "bucket",
        "spark-master",
        "spark-worker-1",
        "spark-worker-2",
        "job",
    }


@pytest.mark.parametrize("mistake", [("interval:", "intervall:"), ("service_healthy", "healthy"), ("5s", "5 parsecs")])
def test_the_check_finds_mistakes(mistake: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        PyCompose.from_yaml(TEXT.replace(*mistake, 1))


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_passwords_have_no_defaults(services: dict[str, Any]) -> None:
    for name in ("postgresql", "clickhouse", "minio", "bucket"):
        for variable, value in services[name]["environment"].items():
            if "PASSWORD" in variable or variable == "MINIO_ROOT_USER":
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), f"{name}: {variable}"


def test_whatever_others_wait_for_has_a_health_check(services: dict[str, Any]) -> None:
    awaited = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    assert [name for name in sorted(awaited) if "healthcheck" not in services[name]] == []


def test_spark_is_the_pinned_one(services: dict[str, Any]) -> None:
    pinned = re.search(r"^pyspark==(\S+)$", (PROJECT_DIR / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    assert services["spark-master"]["image"] == f"ownlens-etl-spark:{pinned[1]}"
