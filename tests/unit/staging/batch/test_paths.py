from __future__ import annotations

from typing import Any

import pytest

from etl.staging.batch.paths import MISSING, getter


@pytest.mark.parametrize(
    ("path", "record", "found"),
    [
        ("id", {"id": 1}, 1),
        ("id", {"id": None}, None),
        ("id", {}, MISSING),
        ("user.id", {"user": {"id": 2}}, 2),
        ("user.id", {"user": {}}, MISSING),
        ("user.id", {"user": [1]}, MISSING),
        ("user.id", {"user": None}, MISSING),
        ("user.id", {"user.id": 3, "user": {"id": 2}}, 3),
        (r"user\.id", {"user.id": 3, "user": {"id": 2}}, 3),
        (r"user\.id", {"user": {"id": 2}}, MISSING),
        (r"labels.user\.id", {"labels": {"user.id": 4}}, 4),
        ("a.b.c", {"a": {"b": {"c": False}}}, False),
    ],
)
def test_what_stands_at_a_path(path: str, record: dict[str, Any], found: Any) -> None:
    assert getter(path)(record) is found or getter(path)(record) == found
