from __future__ import annotations

import json

import pytest

from etl.ledger.rejects import CopyStream, jsonb_text


@pytest.mark.parametrize("size", [1, 3, 7, 1000, -1])
def test_the_stream_gives_every_character_once_whatever_is_asked_for(size: int) -> None:
    lines = ["first\n", "second line\n", "é\n", "last\n"]
    stream = CopyStream(iter(lines))
    parts = []
    while part := stream.read(size):
        parts.append(part)
        assert size < 0 or len(part) <= size
    assert "".join(parts) == "".join(lines)
    assert stream.read(size) == ""


def test_the_stream_keeps_the_error_of_its_lines() -> None:
    def breaks() -> object:
        yield "first\n"
        raise OSError("gone")

    stream = CopyStream(breaks())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="gone") as raised:
        stream.read(100)
    assert stream.failure is raised.value


@pytest.mark.parametrize(
    "text", ['{"a": 1.10, "b": [null, true], "c": "\\ud83d\\ude00"}', '"text"', "12345678901234567890.5"]
)
def test_what_jsonb_takes_is_left_as_it_is(text: str) -> None:
    assert jsonb_text(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a\\u0000": "b\\u0000"}', {"a\\u0000": "b\\u0000"}),
        ('["\\udfff"]', ["\\udfff"]),
        ("[NaN, 1e999, 12345678901234567890.12]", ["NaN", "1e999", "12345678901234567890.12"]),
        ('["\\u0000", 0.5, 7]', ["\\u0000", 0.5, 7]),
        ("{broken", {"_text": "{broken"}),
        ("[" * 100_000, {"_text": "[" * 100_000}),
    ],
)
def test_what_jsonb_refuses_is_kept_as_text(text: str, value: object) -> None:
    assert json.loads(jsonb_text(text)) == value
    assert "\\u0000" not in jsonb_text(text).replace("\\\\u0000", "")
