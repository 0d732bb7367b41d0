from __future__ import annotations

from functools import partial

import psycopg2
import pytest
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, SourceError, StoreError
from etl.postgresql.door import door, sqlstate, translate
from etl.postgresql.next_steps import Advice

SETTINGS = PostgreSQLSettings(host="db", user="etl", password=SecretStr("s3cret-word"), database="target")


def coded(code: str) -> psycopg2.Error:
    """An error as the server sends it."""
    error = psycopg2.Error()
    error.__setstate__({"pgcode": code, "pgerror": "ERROR:  as it was said"})
    return error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("40P01", ContentionError),
        ("40001", ContentionError),
        ("55P03", ContentionError),
        ("57014", ContentionError),
        ("53300", OverloadedError),
        ("57P01", ConnectionLostError),
        ("57P03", ConnectionLostError),
        ("08006", ConnectionLostError),
        ("53100", StoreError),
        ("42601", StoreError),
        ("42501", StoreError),
        ("23502", StoreError),
    ],
)
def test_sqlstate_decides(code: str, expected: type[EtlError]) -> None:
    with (
        pytest.raises(expected, match=rf"postgresql://db:5432/target: publish: .*SQLSTATE {code}") as caught,
        door(SETTINGS, "publish"),
    ):
        raise coded(code)
    assert type(caught.value) is expected
    assert sqlstate(caught.value) == code


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("could not connect to server: Connection refused", ConnectionLostError),
        ("server closed the connection unexpectedly", ConnectionLostError),
        ("FATAL:  sorry, too many clients already", OverloadedError),
        ('FATAL:  password authentication failed for user "etl"', StoreError),
        ('FATAL:  database "target" does not exist', StoreError),
    ],
)
def test_without_an_answer_the_words_decide(said: str, expected: type[EtlError]) -> None:
    assert type(translate(psycopg2.OperationalError(said), SETTINGS, "connect")) is expected


def test_passwords_are_masked() -> None:
    error = psycopg2.OperationalError("invalid dsn: password=s3cret-word host=db")
    assert "s3cret-word" not in translate(error, SETTINGS, "connect").message


def test_our_own_errors_pass_through() -> None:
    with pytest.raises(StoreError, match=r"^mine$"), door(SETTINGS, "publish"):
        raise StoreError("mine")


def test_values_of_a_row_stay_out_and_a_next_step_is_said() -> None:
    error = psycopg2.Error()
    said = 'ERROR:  duplicate key value violates unique constraint "one"\nDETAIL:  Key (id)=(4711) already exists.'
    error.__setstate__({"pgcode": "23505", "pgerror": said})
    message = translate(error, SETTINGS, "publish").message
    assert message.endswith(" (SQLSTATE 23505); the server's log has the details")


def test_a_room_has_words_and_an_error_of_its_own() -> None:
    advice = Advice(statement="raise source.statement_timeout_seconds", lock="", connections="", refused="")
    with (
        pytest.raises(ContentionError, match=r"; it took longer than it may: raise source\.statement_timeout_seconds$"),
        door(SETTINGS, "read", advice),
    ):
        raise coded("57014")
    missing = partial(SourceError, table="news")
    with (
        pytest.raises(SourceError, match=r" \(SQLSTATE 42P01\)$") as caught,
        door(SETTINGS, "read", advice, missing),
    ):
        raise coded("42P01")
    assert caught.value.table == "news"
