import psycopg2
import pytest
from pydantic import SecretStr
from tenacity import wait_none

from etl.config.settings import PostgreSQLSettings, RunSettings
from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.load.executors import Receipt
from etl.load.postgresql.copying import failure_of
from etl.load.postgresql.door import door, sqlstate, translate
from etl.load.postgresql.retrying import loading_again

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


def test_receipts_carry_errors() -> None:
    assert failure_of(Receipt(0, 1, 2, 3)) is None
    failure = failure_of(Receipt(0, 1, 0, 0, '{"error": "ContentionError", "message": "busy"}'))
    assert type(failure) is ContentionError and failure.message == "busy"


@pytest.mark.parametrize(("code", "calls"), [("40P01", 4), ("57014", 2), ("53100", 1), ("42601", 1)])
def test_what_is_tried_again(code: str, calls: int) -> None:
    made = []

    def attempt() -> None:
        made.append(1)
        with door(SETTINGS, "publish"):
            raise coded(code)

    policy = loading_again(RunSettings(retries=3, retry_for_seconds=0), "items").copy(wait=wait_none())
    with pytest.raises(EtlError):
        policy(attempt)
    assert len(made) == calls
