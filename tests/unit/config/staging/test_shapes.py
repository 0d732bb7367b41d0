from __future__ import annotations

import pytest

from etl.config.document import Node, read_document
from etl.config.staging.shapes import with_shape
from tests.unit.config.conftest import Folder


def shaped(folder: Folder, shape: str) -> tuple[Node, list[str]]:
    folder.write("job.yaml", f"source_id: id\n{shape}\n")
    job, _ = read_document(folder.path / "job.yaml", {})
    node, faults = with_shape(job, folder.path)
    return node, [str(fault).replace(f"{folder.path}/", "") for fault in faults]


def test_a_schema_may_be_inline_or_a_file(folder: Folder) -> None:
    folder.write("shape.json", '{"type": "object", "required": ["a"], "minProperties": 1.0}')
    for written in ("shape: {type: object, required: [a], minProperties: 1.0}", "shape: shape.json"):
        node, faults = shaped(folder, written)
        assert faults == []
        assert node.plain() == {
            "source_id": "id",
            "shape": {"type": "object", "required": ["a"], "minProperties": 1.0},
        }


def test_there_need_be_none(folder: Folder) -> None:
    assert shaped(folder, "shape: null")[1] == []
    assert shaped(folder, "")[0].plain() == {"source_id": "id"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("shape: {type: strin}", 'job.yaml:2: shape: "strin" is not'),
        ("shape: {$ref: 'https://example.com/a.json'}", "job.yaml:2: shape: "),
        ("shape: none.json", "job.yaml:2: shape: no file none.json; expected a JSON Schema"),
        ("shape: broken.json", "job.yaml:2: shape: broken.json is not JSON: "),
    ],
)
def test_what_is_no_schema_is_told(folder: Folder, written: str, message: str) -> None:
    folder.write("broken.json", "{")
    node, faults = shaped(folder, written)
    assert len(faults) == 1
    assert faults[0].startswith(message)
    assert node.plain() == {"source_id": "id"}


def test_nothing_is_fetched(folder: Folder) -> None:
    _, (fault,) = shaped(folder, "shape: {$ref: 'https://example.com/a.json'}")
    assert fault.endswith("put what it needs into its own $defs")
