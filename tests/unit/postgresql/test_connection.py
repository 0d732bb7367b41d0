from __future__ import annotations

from types import SimpleNamespace

import psycopg2
import pytest

from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.postgresql.connection import translate

ADDRESS = "postgresql://db:5432/etl"


class Refusal(psycopg2.OperationalError):
    """psycopg2 alone can set pgcode; a class attribute stands in for it."""

    code: str | None = None
    said: str | None = None
    pgcode = property(lambda self: self.code)  # type: ignore[assignment]
    diag = property(lambda self: SimpleNamespace(message_primary=self.said))  # type: ignore[assignment]


def refusal(code: str | None, said: str | None, text: str = "") -> Refusal:
    error = Refusal(text)
    error.code, error.said = code, said
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("40001", ContentionError),
        ("40P01", ContentionError),
        ("55P03", ContentionError),
        ("53300", OverloadedError),
        ("57014", ContentionError),
        ("57P01", ConnectionLostError),
        ("08006", ConnectionLostError),
        ("53100", StoreError),  # the disk is full: trying again does not empty it
        ("42601", StoreError),
        ("23505", StoreError),
    ],
)
def test_the_sqlstate_decides(code: str, kind: type[EtlError]) -> None:
    error = translate(refusal(code, "the reason", "the reason\nDETAIL: Key (id)=(4711)"), ADDRESS, "complete_load")
    assert type(error) is kind
    assert error.message.startswith(f"{ADDRESS}: complete_load: the reason (SQLSTATE {code}); ")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("connection refused", ConnectionLostError),
        ("server closed the connection unexpectedly", ConnectionLostError),
        ("timeout expired", ConnectionLostError),
        ('FATAL: password authentication failed for user "etl"', StoreError),
        ('FATAL: database "x" does not exist', StoreError),
        ("SSL error: certificate verify failed", StoreError),
    ],
)
def test_without_one_the_words_decide(said: str, kind: type[EtlError]) -> None:
    assert type(translate(refusal(None, None, said), ADDRESS, "connect")) is kind


def test_secrets_are_masked() -> None:
    error = translate(refusal(None, None, "cannot use hunter22 at postgresql://u:pw@h/d"), ADDRESS, "x", ("hunter22",))
    assert "cannot use *** at postgresql://u:***@h/d" in error.message
