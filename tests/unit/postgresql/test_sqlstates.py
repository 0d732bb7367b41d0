import psycopg2
import pytest

from etl.errors import ConnectionLostError, ContentionError, OverloadedError, TransientError
from etl.postgresql.sqlstates import transient_kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, ContentionError) for code in ("40001", "40P01", "55P03", "57014")),
        *((code, OverloadedError) for code in ("53000", "53200", "53300", "53400")),
        *((code, ConnectionLostError) for code in ("57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "08006")),
        # a full disk stays full; wrong statements, values and names stay wrong
        *((code, None) for code in ("53100", "42601", "42501", "23505", "23514", "28P01", "3D000", "22012")),
    ],
)
def test_the_sqlstate_decides_whatever_was_said(code: str, kind: type[TransientError] | None) -> None:
    for said in ("the reason", "certificate", "too many clients"):
        assert transient_kind(code, said, psycopg2.OperationalError) is kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("connection refused", ConnectionLostError),
        ("server closed the connection unexpectedly", ConnectionLostError),
        ("FATAL:  sorry, too many clients already", OverloadedError),
        ("FATAL:  remaining connection slots are reserved for superusers", OverloadedError),
        ('FATAL:  password authentication failed for user "etl"', None),
        ('FATAL:  database "x" does not exist', None),
        ("SSL error: certificate verify failed", None),
        ('server certificate for "a" does not match host name "b"', None),
        ("server does not support SSL, but SSL was required", None),
    ],
)
def test_without_one_the_words_decide(said: str, kind: type[TransientError] | None) -> None:
    for error_class in (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.DatabaseError):
        assert transient_kind(None, said, error_class) is kind
        assert transient_kind("", said, error_class) is kind


def test_a_mistake_in_the_use_of_the_driver_is_no_lost_connection() -> None:
    assert transient_kind(None, "no results to fetch", psycopg2.ProgrammingError) is None
