from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from etl.config.document import Node, merge, read_document


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.yaml"


def read(file: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[Node, list[tuple[int, str]]]:
    file.write_text(text, encoding="utf-8")
    node, faults = read_document(file, environ or {})
    assert all(fault.file == str(file) for fault in faults)
    return node, [(fault.line, fault.message) for fault in faults]


def test_only_what_looks_like_json_is_no_text(file: Path) -> None:
    node, faults = read(
        file, "a: no\nb: 12:30\nc: 010\nd: 10\ne: -1.5e3\nf: true\ng: null\nh:\ni: 2024-01-01\nj: '1'\n"
    )
    assert faults == []
    assert node.plain() == {
        "a": "no",
        "b": "12:30",
        "c": "010",
        "d": 10,
        "e": -1500.0,
        "f": True,
        "g": None,
        "h": None,
        "i": "2024-01-01",
        "j": "1",
    }


def test_a_country_called_no_may_be_a_key(file: Path) -> None:
    assert read(file, "no: 1\non: 2\n")[0].plain() == {"no": 1, "on": 2}


def test_every_value_knows_its_line(file: Path) -> None:
    node, _ = read(file, "a:\n  b:\n    c: 1\n  d: [2,\n      3]\n")
    found = {path: node.get(*path) for path in (("a",), ("a", "b"), ("a", "b", "c"), ("a", "d"))}
    assert {path: child.line for path, child in found.items() if child} == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", "c"): 3,
        ("a", "d"): 4,
    }
    items = node.get("a", "d")
    assert items is not None
    assert isinstance(items.value, tuple)
    assert [item.line for item in items.value] == [4, 5]


def test_duplicate_keys_are_said_with_both_lines(file: Path) -> None:
    _, faults = read(file, "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert faults == [(5, "key 'a' is already given in line 1"), (4, "key 'c' is already given in line 3")]


def test_merge_keys_are_no_duplicates(file: Path) -> None:
    node, faults = read(file, "base: &base {x: 1, y: 2}\nown:\n  <<: *base\n  y: 3\n")
    assert faults == []
    assert node.plain() == {"base": {"x": 1, "y": 2}, "own": {"x": 1, "y": 3}}


def test_an_alias_may_not_contain_itself(file: Path) -> None:
    assert read(file, "a: &a\n  b: *a\n")[1] == [(2, "an alias may not contain itself")]


@pytest.mark.parametrize(
    ("written", "value", "from_environment"),
    [
        ("${HOST}", "db.example.com", True),
        ("${HOST}:${PORT}", "db.example.com:5433", True),
        ("${PORT}", 5433, True),
        ("'${PORT}'", "5433", True),
        ("${ABSENT:-fallback}", "fallback", False),
        ("${ABSENT:-}", None, False),
        ("'${EMPTY:-fallback}'", "fallback", False),
        ("'${EMPTY}'", "", False),
        ("$${HOST}", "${HOST}", False),
        ("costs $5", "costs $5", False),
    ],
)
def test_variables(file: Path, written: str, value: object, from_environment: bool) -> None:
    node, faults = read(file, f"a: {written}\n", {"HOST": "db.example.com", "PORT": "5433", "EMPTY": ""})
    assert faults == []
    assert node.mapping["a"].value == value
    assert node.mapping["a"].from_environment is from_environment


def test_every_missing_variable_is_said(file: Path) -> None:
    _, faults = read(file, "a: ${HOST}\nb:\n  - ${PORT}\n# ${NOT_IN_A_COMMENT}\n")
    assert faults == [
        (1, "variable HOST is not set; set it, or write ${HOST:-default}"),
        (3, "variable PORT is not set; set it, or write ${PORT:-default}"),
    ]


def test_a_malformed_variable_is_said(file: Path) -> None:
    assert read(file, "a: '${HOST'\n")[1] == [(1, "write ${NAME} or ${NAME:-default}; $${ stands for ${")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: *nobody\n", 1, "not YAML"),
        ("- a\n- b\n", 1, "the file must hold a mapping of keys"),
        ("a: !!python/object:os.system x\n", 1, "tag 'tag:yaml.org,2002:python/object:os.system' is not allowed"),
        ("? [a, b]\n: 1\n", 1, "a key must be text"),
    ],
)
def test_what_is_no_configuration_is_refused(file: Path, text: str, line: int, message: str) -> None:
    (found_line, found), *others = read(file, text)[1]
    assert others == []
    assert (found_line, found[: len(message)]) == (line, message)


def test_an_empty_file_is_an_empty_mapping(file: Path) -> None:
    node, faults = read(file, "# nothing\n")
    assert (node.plain(), faults) == ({}, [])


def test_bytes_that_are_not_utf_8(file: Path) -> None:
    file.write_bytes(b"a: \xff\n")
    _, faults = read_document(file, {})
    assert [str(fault) for fault in faults] == [f"{file}: not a UTF-8 YAML file: UnicodeDecodeError"]


def test_merge_lays_key_by_key_and_keeps_lines(file: Path) -> None:
    base, _ = read(file, "a: {x: 1, y: [1, 2]}\nb: 1\n")
    over, _ = read(file, "\n\na:\n  y: [3]\n")
    merged = merge(base, over)
    assert merged.plain() == {"a": {"x": 1, "y": [3]}, "b": 1}
    lines = {path: node.line for path in (("a", "x"), ("a", "y"), ("b",)) if (node := merged.get(*path))}
    assert lines == {("a", "x"): 1, ("a", "y"): 4, ("b",): 2}
