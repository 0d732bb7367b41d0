from __future__ import annotations

import pytest

from etl.config.destinations.clickhouse.server import clickhouse_fields
from etl.config.destinations.s3.server import s3_fields
from etl.config.urls import is_loopback, postgresql_fields

PASSWORD = "s3cret/@:#?"  # every character that a URL gives a meaning
ENCODED = "s3cret%2F%40%3A%23%3F"


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (
            "postgresql://etl:secret@db.example.com:5433/warehouse",
            {"host": "db.example.com", "port": 5433, "user": "etl", "password": "secret", "database": "warehouse"},
        ),
        (
            f"postgres://e%40l:{ENCODED}@localhost/my%20db",
            {"host": "localhost", "user": "e@l", "password": PASSWORD, "database": "my db"},
        ),
        (
            "postgresql://etl:@[2001:db8::1]:5432/w",
            {"host": "2001:db8::1", "port": 5432, "user": "etl", "password": "", "database": "w"},
        ),
        (
            "postgresql://u:p@h/d?sslmode=verify-ca&sslrootcert=/etc/ca.pem&connect_timeout=3",
            {
                "host": "h",
                "user": "u",
                "password": "p",
                "database": "d",
                "sslmode": "verify-ca",
                "ca_file": "/etc/ca.pem",
                "connect_timeout_seconds": 3,
            },
        ),
        (
            "postgresql://u:p@h/d?sslrootcert=system",
            {"host": "h", "user": "u", "password": "p", "database": "d"},
        ),
    ],
)
def test_postgresql(url: str, fields: dict[str, object]) -> None:
    assert postgresql_fields(url) == fields


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (
            f"https://etl:{ENCODED}@ch.example.com/lake",
            {
                "host": "ch.example.com",
                "port": 8443,
                "user": "etl",
                "password": PASSWORD,
                "database": "lake",
                "secure": True,
            },
        ),
        ("http://localhost", {"host": "localhost", "port": 8123, "secure": False}),
        (
            "https://[::1]:9443/lake?verify=false&ca_file=/etc/ca.pem",
            {
                "host": "::1",
                "port": 9443,
                "database": "lake",
                "secure": True,
                "verify": False,
                "ca_file": "/etc/ca.pem",
            },
        ),
    ],
)
def test_clickhouse(url: str, fields: dict[str, object]) -> None:
    assert clickhouse_fields(url) == fields


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("http://127.0.0.1:9000/", {"endpoint": "http://127.0.0.1:9000"}),
        ("https://s3.example.com/minio", {"endpoint": "https://s3.example.com/minio"}),
        ("https://s3.example.com?verify=true", {"endpoint": "https://s3.example.com", "verify": True}),
    ],
)
def test_s3(url: str, fields: dict[str, object]) -> None:
    assert s3_fields(url) == fields


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://hunter2",
            "the URL lacks user and password and database; expected postgresql://user:password@host:port/database",
        ),
        (
            "postgresql://etl@h/d",
            "the URL lacks password; expected postgresql://user:password@host:port/database",
        ),
        (
            "postgresql:///d?host=hunter2",
            "the URL lacks host and user and password; expected postgresql://user:password@host:port/database",
        ),
        ("mysql://etl:hunter2@h/d", "the URL must begin with postgresql:// or postgres://"),
        ("etl:hunter2@h/d", "the URL must begin with postgresql:// or postgres://"),
        (
            "postgresql://etl:hunter2/x@h/d",
            "the URL cannot be read: is a `/`, `@`, `#` or `?` in it not percent-encoded?",
        ),
        (
            "postgresql://etl:hunter2@[::1/d",
            "the URL cannot be read: is a `/`, `@`, `#` or `?` in it not percent-encoded?",
        ),
        (
            "postgresql://etl:hunter2@a:1,b:2/d",
            "the URL cannot be read: is a `/`, `@`, `#` or `?` in it not percent-encoded?",
        ),
        ("postgresql://etl:hunter2@a,b/d", "the URL names several hosts; expected one"),
        ("postgresql://etl:hunter2@h:0/d", "the URL's port is 0; expected 1 to 65535"),
        (
            "postgresql://etl:hunter2@h/d?sslmod=require",
            "unknown URL parameter 'sslmod'; did you mean 'sslmode'?",
        ),
        ("postgresql://etl:hunter2@h/d?connect_timeout=soon", "connect_timeout must be a whole number of seconds"),
    ],
)
def test_a_bad_url_is_told_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        postgresql_fields(url)
    assert str(refused.value) == message
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_bad_urls_of_the_other_stores() -> None:
    for read, url, message in (
        (clickhouse_fields, "https:///lake", "the URL lacks host; expected https://user:password@host:port/database"),
        (clickhouse_fields, "https://h?verify=maybe", "verify must be true or false"),
        (s3_fields, "https://", "the URL lacks host; expected https://host:port"),
        (
            s3_fields,
            "https://key:hunter2@h",
            "the URL holds a user or password; use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
    ):
        with pytest.raises(ValueError) as refused:
            read(url)
        assert str(refused.value) == message


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("db", False), ("10.0.0.1", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_name_that_only_looks_like_loopback_is_verified() -> None:
    assert not is_loopback("127.0.0.1.example.com")
