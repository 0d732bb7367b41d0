"""A server's URL → the fields of its settings. Faults name the missing part, never the URL, which holds a password."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from etl.nearest import suggestion

Fields = dict[str, str | int | bool]


def postgresql_fields(url: str) -> Fields:
    """`postgresql://user:password@host:port/database?sslmode=…&sslrootcert=…&connect_timeout=…`"""
    parts = split_url(url, ("postgresql", "postgres"))
    fields = address_fields(parts)
    missing = [name for name in ("host", "user", "password", "database") if name not in fields]
    if missing:
        raise ValueError(
            f"the URL lacks {' and '.join(missing)}; expected postgresql://user:password@host:port/database"
        )
    options = url_options(parts, ("sslmode", "sslrootcert", "connect_timeout"))
    if "sslmode" in options:
        fields["sslmode"] = options["sslmode"]
    if options.get("sslrootcert", "system") != "system":  # libpq's word for what is done anyway
        fields["ca_file"] = options["sslrootcert"]
    if "connect_timeout" in options:
        fields["connect_timeout_seconds"] = _whole(options["connect_timeout"], "connect_timeout")
    return fields


def is_loopback(host: str) -> bool:
    """Whether the name is this machine by its form; a name is never looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_url(url: str, schemes: Collection[str]) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:  # its own message may quote a part of the URL, hence no chain
        raise ValueError("the URL cannot be read: is a `/`, `@`, `#` or `?` in it not percent-encoded?") from None
    if parts.scheme not in schemes:
        raise ValueError(f"the URL must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "," in parts.netloc.rpartition("@")[2]:
        raise ValueError("the URL names several hosts; expected one")
    if port == 0:
        raise ValueError("the URL's port is 0; expected 1 to 65535")
    return parts


def address_fields(parts: SplitResult) -> Fields:
    """Percent-decoded; a password that is given but empty is one."""
    fields: Fields = {}
    for name, value in (("host", parts.hostname), ("user", parts.username), ("database", parts.path.strip("/"))):
        if value:
            fields[name] = unquote(value)
    if parts.password is not None:
        fields["password"] = unquote(parts.password)
    if parts.port:
        fields["port"] = parts.port
    return fields


def url_options(parts: SplitResult, valid: Collection[str]) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in valid:
            raise ValueError(f"unknown URL parameter {name!r}; {suggestion(name, valid)}")
    return options


def tls_fields(options: dict[str, str]) -> Fields:
    fields: Fields = {"verify": truth(options["verify"], "verify")} if "verify" in options else {}
    return fields | ({"ca_file": options["ca_file"]} if "ca_file" in options else {})


def truth(text: str, name: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"{name} must be true or false")
    return text.lower() in ("true", "1")


def _whole(text: str, name: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{name} must be a whole number of seconds")
    return int(text)


def bracketed(host: str) -> str:
    """An IPv6 address as a URL holds it."""
    return f"[{host}]" if ":" in host else host
