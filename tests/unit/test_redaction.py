from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from etl.redaction import MASK, redact, redact_value, secrets_in


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://etl:p4ss@db:5432/x", "postgresql://etl:***@db:5432/x"),
        ("http://u:p@ss@h:8123/?a=1", "http://u:***@h:8123/?a=1"),
        ("s3://key:secret@bucket and http://h/x", "s3://key:***@bucket and http://h/x"),
        ("jdbc:postgresql://h/db?user=etl&password=p4ss&ssl=1", "jdbc:postgresql://h/db?user=etl&password=***&ssl=1"),
        ("host=h password='two words' dbname=x", "host=h password=*** dbname=x"),
        ('{"aws_secret_access_key": "abc/+", "n": 1}', '{"aws_secret_access_key": ***, "n": 1}'),
        ("fs.s3a.secret.key=abc", "fs.s3a.secret.key=***"),
        ("fs.s3a.access.key -> AKIAABCDEFGHIJKLMNOP", "fs.s3a.access.key -> ***"),
        ("CREATE ROLE x PASSWORD 'p4ss';", "CREATE ROLE x PASSWORD ***;"),
        ("Authorization: Basic dXNlcjpw\nHost: h", "Authorization: ***\nHost: h"),
        ("X-ClickHouse-Key: p4ss", "X-ClickHouse-Key: ***"),
        (
            "GET /b?X-Amz-Credential=AK%2F1&X-Amz-Signature=ff00&x=1",
            "GET /b?X-Amz-Credential=***&X-Amz-Signature=***&x=1",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "public.password_resets: 12 rows",
        "postgresql://db:5432/x",
        "unexpected token: ','",
        "2026-11-20T21:07:33 table -> s3://bucket/path@v1",
        "the token expired",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_masked_raw_and_encoded_the_longest_first() -> None:
    secrets = ["p@ss word", "p@ss word 2", "ab"]
    text = "p@ss word 2, p@ss word, p%40ss%20word, p%40ss+word, abc"
    assert redact(text, secrets) == "***, ***, ***, ***, abc"


def test_nested_values_are_masked_by_their_names() -> None:
    instant = datetime(2026, 11, 20, tzinfo=UTC)
    value = {
        "password": "x",
        "secret_key": SecretStr("abc"),
        "api_token": None,
        "passwords_changed": 3,
        "list": ["postgresql://u:p@h/d", {"token": "t"}, 1.5, True, None],
        "path": Path("/tmp/hunter22"),
        "at": instant,
        "ratio": float("nan"),
    }
    assert redact_value(value, ["hunter22"]) == {
        "password": "***",
        "secret_key": "***",
        "api_token": None,
        "passwords_changed": 3,
        "list": ["postgresql://u:***@h/d", {"token": "***"}, 1.5, True, None],
        "path": "/tmp/***",
        "at": str(instant),
        "ratio": "nan",
    }


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
            ("T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"),
        ),
        ("mailtos://etl:hunter%402@smtp.example.com:587?to=ops@example.com&format=text", ("hunter@2",)),
        ("jsons://hooks.example.com/services/alerts/9f8e7d6c5b4a", ("9f8e7d6c5b4a",)),
        ("jsons://hooks.example.com/services?key=averyverylongword", ("averyverylongword",)),
    ],
)
def test_of_a_url_what_is_no_word_is_a_secret(url: str, secrets: tuple[str, ...]) -> None:
    assert secrets_in(url) == (url, *secrets)


def test_a_line_without_an_end_is_read_once() -> None:
    """Not once for each letter: pytest would give up before that came to its end."""
    blob = "QUJD" * 100_000
    assert redact(f"{blob} password=hunter2 {blob}") == f"{blob} password={MASK} {blob}"
    assert redact(f"{blob}_password=hunter2") == f"{blob}_password={MASK}"
