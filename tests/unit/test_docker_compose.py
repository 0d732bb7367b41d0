"""Our files for Docker Compose against its specification, and what we promise of them beyond that."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from etl.project import PROJECT_DIR

TEXT = (PROJECT_DIR / "docker-compose.yml").read_text()
PAGE = (PROJECT_DIR / "docker-compose.page.yml").read_text()
METRICS = (PROJECT_DIR / "docker-compose.metrics.yml").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(TEXT)["services"]


@pytest.fixture(scope="module")
def of_page() -> dict[str, Any]:
    return yaml.safe_load(PAGE)["services"]


@pytest.fixture(scope="module")
def of_metrics() -> dict[str, Any]:
    return yaml.safe_load(METRICS)["services"]


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
@pytest.mark.parametrize("text", [TEXT, PAGE, METRICS], ids=["stores", "page", "metrics"])
def test_the_check_finds_mistakes(text: str, mistake: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        PyCompose.from_yaml(text.replace(*mistake, 1))


def test_ports_are_published_on_loopback_only(
    services: dict[str, Any], of_page: dict[str, Any], of_metrics: dict[str, Any]
) -> None:
    all_services = (*services.values(), *of_page.values(), *of_metrics.values())
    published = [port for service in all_services for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_passwords_have_no_defaults(services: dict[str, Any]) -> None:
    for name in ("postgresql", "clickhouse", "minio", "bucket"):
        for variable, value in services[name]["environment"].items():
            if "PASSWORD" in variable or variable == "MINIO_ROOT_USER":
                assert re.fullmatch(r"\$\{[A-Z_]+:-\}", value), f"{name}: {variable}"


@pytest.mark.parametrize(
    ("text", "name", "variables"),
    [
        (TEXT, "postgresql", ["POSTGRES_PASSWORD"]),
        (PAGE, "postgresql", ["POSTGRES_PASSWORD"]),
        (TEXT, "clickhouse", ["CLICKHOUSE_PASSWORD"]),
        (TEXT, "minio", ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"]),
        (METRICS, "grafana", ["GF_SECURITY_ADMIN_PASSWORD"]),
    ],
)
def test_each_service_asks_for_its_own_variables_when_it_starts(text: str, name: str, variables: list[str]) -> None:
    """Compose itself would ask for those of the whole file, whichever services are started."""
    assert ":?" not in re.sub(r"\$\$\{\w+:\?[^}]*\}", "", text)
    service = yaml.safe_load(text)["services"][name]
    assert set(variables) <= set(service["environment"])
    shell, option, script, *names = service["entrypoint"]
    started = script.replace("$$", "$").replace("exec ", "exec echo ")
    command = [shell, option, started, *names, *service.get("command", [])]
    for missing in variables:
        given = {variable: "x y" for variable in variables if variable != missing}
        refused = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert refused.stdout == ""
        assert missing in refused.stderr
    given = dict.fromkeys(variables, "x y")
    done = subprocess.run(command, env={**given, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"(/usr/bin/)?docker-entrypoint\.sh .+|/entrypoint\.sh|/run\.sh", done.stdout.strip())


def test_whatever_others_wait_for_has_a_health_check(
    services: dict[str, Any], of_page: dict[str, Any], of_metrics: dict[str, Any]
) -> None:
    for each in (services, of_page, of_metrics):
        awaited = {
            name
            for service in each.values()
            for name, how in service.get("depends_on", {}).items()
            if how["condition"] == "service_healthy"
        }
        assert awaited
        assert [name for name in sorted(awaited) if "healthcheck" not in each[name]] == []


def test_the_page_follows_the_specification() -> None:
    assert set(PyCompose.from_yaml(PAGE).to_dict()["services"]) == {"postgresql", "ledger", "worker", "page"}


def test_both_files_have_one_postgresql() -> None:
    """Of one project: what one has started, the other goes on with."""
    one, other = yaml.safe_load(TEXT), yaml.safe_load(PAGE)
    assert one["name"] == other["name"]
    assert one["services"]["postgresql"] == other["services"]["postgresql"]
    assert one["configs"] == other["configs"]


def test_the_page_starts_without_variables_of_others(of_page: dict[str, Any]) -> None:
    """Each service is given its own."""
    assert not re.search(r"CLICKHOUSE|MINIO|AWS|SPARK", PAGE)
    for name in ("ledger", "worker"):
        assert set(of_page[name]["environment"]) == {"ETL_STAGING_POSTGRES_URL"}
    given = set(of_page["page"]["environment"])
    assert given == {"ETL_STAGING_POSTGRES_URL", "ETL_PAGE_HOST", "ETL_PAGE_PUBLIC_URL", "ETL_PAGE_SECRET"}


@pytest.mark.parametrize("name", ["ledger", "worker", "page"])
def test_what_the_page_runs_is_a_command_of_ours(of_page: dict[str, Any], name: str) -> None:
    command = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", " ".join(of_page[name]["command"])).split()
    asked = subprocess.run(
        [sys.executable, "-m", "etl", *command, "--help"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr


def test_spark_is_the_pinned_one(services: dict[str, Any]) -> None:
    pinned = re.search(r"^pyspark==(\S+)$", (PROJECT_DIR / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    assert services["spark-master"]["image"] == f"ownlens-etl-spark:{pinned[1]}"


def test_metrics_start_without_variables_of_others_and_have_what_we_ship(of_metrics: dict[str, Any]) -> None:
    assert set(PyCompose.from_yaml(METRICS).to_dict()["services"]) == {"pushgateway", "prometheus", "grafana"}
    mounted = {volume.split(":")[0] for service in of_metrics.values() for volume in service["volumes"]}
    folders = {folder for folder in mounted if folder.startswith("./")}
    assert folders == {"./conf/prometheus", "./conf/grafana"}
    assert all(any((PROJECT_DIR / folder).iterdir()) for folder in folders)
    whole = yaml.safe_load(METRICS)
    for name, target in (("prometheus", "prometheus.yml"), ("grafana_datasource", "datasources/prometheus.yml")):
        assert yaml.safe_load(whole["configs"][name]["content"]), target
    scraped = yaml.safe_load(whole["configs"]["prometheus"]["content"])["scrape_configs"]
    assert scraped[0]["honor_labels"] and scraped[0]["static_configs"] == [{"targets": ["pushgateway:9091"]}]
