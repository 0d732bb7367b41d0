"""Where the database is: `--dsn`, ETL_UPLOADER_DSN, a file, libpq's PG… variables, or where the other tools' warehouse
is → what asyncpg.connect takes."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from etl.errors import UsageError
from etl.fencing import Fence, read_fence
from etl.names import is_readable

DSN_VARIABLE = "ETL_UPLOADER_DSN"
WAREHOUSE_VARIABLE = "ETL_POSTGRES_URL"
_WAREHOUSE_CA_VARIABLE = "ETL_POSTGRES_CA_FILE"

_EXPECTED = "expected postgresql://user@host:port/database?sslmode=…, with :password behind the user"
_UNREADABLE = "the URL cannot be read: is a `/`, `@`, `#` or `?` in it not percent-encoded?"
_ADDRESS_OPTIONS = ("host", "port", "user", "password", "dbname")
_TLS_OPTIONS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
_OTHER_OPTIONS = ("passfile", "service", "target_session_attrs", "krbsrvname", "gsslib", "application_name")
_NO_UTF8 = "holds bytes that are not UTF-8; in a URL write them as %E9"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ENVIRONMENT = ("PGHOST", "PGDATABASE", "PGSERVICE")


@dataclass(frozen=True, repr=False)
class Dsn:
    """One PostgreSQL database. What is None or not in `options` comes from libpq's variables (PGUSER, PGPASSWORD, the
    password file), as asyncpg reads them. Neither repr nor str holds the password."""

    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    user: str | None = None
    password: str | None = None
    database: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    fence: Fence | None = None
    """Of an orchestrator's attempt: by it sessions are found, and it is asked where batches commit."""

    def __repr__(self) -> str:
        return f"Dsn({self.masked!r})"

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """As it was meant, without passwords; to be printed and logged."""
        password = ":***" if self.password is not None else ""
        user = f"{quote(self.user, safe='')}{password}@" if self.user else ""
        places = zip(self.hosts, self.ports, strict=True)
        address = ",".join(f"{f'[{host}]' if ':' in host else quote(host, safe='')}:{port}" for host, port in places)
        told = [(name, "***" if name == "sslpassword" else value) for name, value in self.options]
        query = f"?{urlencode(told, safe='/*')}" if told else ""
        return f"postgresql://{user}{address}/{quote(self.database or '', safe='')}{query}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the log must never show, wherever it stands."""
        return tuple(value for value in (self.password, dict(self.options).get("sslpassword")) if value)

    @property
    def connect_parameters(self) -> dict[str, Any]:
        """Keyword arguments of asyncpg.connect. They hold the password: never log them."""
        options = dict(self.options)
        parameters: dict[str, Any] = {"user": self.user, "password": self.password, "database": self.database}
        if self.hosts:
            parameters |= {"host": list(self.hosts), "port": list(self.ports)}
        context = _context_of_the_machine(options)
        if context is not None:
            parameters["ssl"] = context
            options = {name: value for name, value in options.items() if name not in _TLS_OPTIONS}
        application = options.pop("application_name", None)
        if application:
            parameters["server_settings"] = {"application_name": application}
        # asyncpg takes the rest (certificates, password file, service) from a URL only
        parameters["dsn"] = f"postgresql://?{urlencode(options)}" if options else None
        return {name: value for name, value in parameters.items() if value is not None}


def find_dsn(dsn: str | None, dsn_file: Path | None, environment: Mapping[str, str]) -> Dsn:
    """The first of: the command line's, ETL_UPLOADER_DSN, the file's, PGHOST and its kin, ETL_POSTGRES_URL. UsageError
    says which was wrong and how, never with a word of it."""
    return replace(_found(dsn, dsn_file, environment), fence=read_fence(environment))


def _found(dsn: str | None, dsn_file: Path | None, environment: Mapping[str, str]) -> Dsn:
    for name in sorted(environment):
        if name.startswith("PG") and not is_readable(environment[name]):
            raise UsageError(f"{name} {_NO_UTF8}")
    if dsn:
        return read_dsn(dsn, "--dsn", environment)
    if environment.get(DSN_VARIABLE):
        return read_dsn(environment[DSN_VARIABLE], DSN_VARIABLE, environment)
    if dsn_file is not None:
        return read_dsn(_content(dsn_file), f"--dsn-file {dsn_file}", environment)
    if any(environment.get(name) for name in _ENVIRONMENT):
        return _from_environment(environment)
    if environment.get(WAREHOUSE_VARIABLE):
        authorities = environment.get("PGSSLROOTCERT") or environment.get(_WAREHOUSE_CA_VARIABLE, "")
        return read_dsn(
            environment[WAREHOUSE_VARIABLE], WAREHOUSE_VARIABLE, {**environment, "PGSSLROOTCERT": authorities}
        )
    raise UsageError(
        f"no database: {_EXPECTED} in {DSN_VARIABLE}, in a file named by --dsn-file or as --dsn, "
        f"or PGHOST, PGUSER, PGDATABASE and PGPASSWORD, or {WAREHOUSE_VARIABLE}"
    )


def read_dsn(text: str, where: str, environment: Mapping[str, str]) -> Dsn:
    """`where` stands in the error's message."""
    if not is_readable(text):
        raise UsageError(f"{where} {_NO_UTF8}")
    try:
        return _parsed(text.strip(), environment)
    except ValueError as error:  # no chain: an error of urllib may quote the URL
        raise UsageError(f"{where}: {error}") from None


def has_password(text: str) -> bool:
    """Whether a URL on the command line shows a password to everyone who lists the machine's processes."""
    try:
        return _parsed(text.strip(), {}).password is not None
    except ValueError:
        return "@" in text


def _content(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--dsn-file {path} cannot be read: {type(error).__name__}") from None
    if not text:
        raise UsageError(f"--dsn-file {path} is empty; {_EXPECTED}")
    return text


def _parsed(text: str, environment: Mapping[str, str]) -> Dsn:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError(_EXPECTED)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(_UNREADABLE) from None
    credentials, _, places = parts.netloc.rpartition("@")
    if parts.fragment:
        raise ValueError("the URL holds a `#`; write it as %23")
    user, _, password = credentials.partition(":")
    options = _options(parts.query)
    hosts, ports = _places(places or _places_of(options), environment.get("PGPORT"))
    password_text = unquote(password) if ":" in credentials else options.get("password")
    rest = {name: value for name, value in options.items() if name not in _ADDRESS_OPTIONS}
    return Dsn(
        hosts=hosts,
        ports=ports,
        user=unquote(user) or options.get("user") or environment.get("PGUSER"),
        password=password_text if password_text is not None else environment.get("PGPASSWORD"),
        database=unquote(parts.path.removeprefix("/")) or options.get("dbname") or environment.get("PGDATABASE"),
        options=tuple(_with_tls(rest, hosts, environment).items()),
    )


def _from_environment(environment: Mapping[str, str]) -> Dsn:
    """With PGSERVICE little is known here: asyncpg reads the service's file."""
    try:
        hosts, ports = _places(environment.get("PGHOST", ""), environment.get("PGPORT"))
        options = _with_tls({}, hosts, environment)
    except ValueError as error:
        raise UsageError(f"the PG… variables: {error}") from None
    return Dsn(
        hosts=hosts,
        ports=ports,
        user=environment.get("PGUSER"),
        password=environment.get("PGPASSWORD"),
        database=environment.get("PGDATABASE"),
        options=tuple(options.items()),
    )


def _options(query: str) -> dict[str, str]:
    """Unknown ones are refused: asyncpg would take a misspelt sslmode for a setting of the server."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:  # its message quotes what may be the half of a password
        raise ValueError(_UNREADABLE) from None
    options = {name: value for name, value in pairs if value or name == "password"}
    valid = (*_ADDRESS_OPTIONS, *_TLS_OPTIONS, *_OTHER_OPTIONS)
    unknown = sorted(set(options) - set(valid))
    if unknown:
        raise ValueError(f"unknown URL parameter {unknown[0]!r}; there are {', '.join(valid)}")
    if options.get("sslmode", "disable") not in _SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(_SSL_MODES)}")
    return options


def _places_of(options: Mapping[str, str]) -> str:
    host, port = options.get("host", ""), options.get("port")
    return f"{quote(host, safe=',')}:{port}" if port else quote(host, safe=",")


def _places(text: str, default_port: str | None) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """`host:port,host:port`, IPv6 in brackets, a socket's folder percent-encoded or plain."""
    hosts, ports = [], []
    for place in filter(None, text.split(",")):
        host, separator, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
        hosts.append(unquote(host if separator else place).strip("[]"))
        ports.append(_port(port if separator else default_port or "5432"))
    return tuple(hosts), tuple(ports)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError(
            "the port must be a whole number from 1 to 65535; is a `/` or `?` in the password not percent-encoded?"
        )
    return int(text)


def _with_tls(options: dict[str, str], hosts: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """Off this machine the server's certificate is verified unless the user says otherwise."""
    if "service" in options:
        return options
    is_elsewhere = bool(hosts) and not all(map(_is_here, hosts))
    mode = options.get("sslmode") or environment.get("PGSSLMODE") or ("verify-full" if is_elsewhere else None)
    root = options.get("sslrootcert") or environment.get("PGSSLROOTCERT")
    if root == "system" and mode != "verify-full":
        raise ValueError("sslrootcert=system needs sslmode=verify-full")
    told = {"sslmode": mode, "sslrootcert": root if mode else None}
    return options | {name: value for name, value in told.items() if value}


def _is_here(host: str) -> bool:
    """By its form; a name is never looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith("/")


def _context_of_the_machine(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """The machine's authorities, for verify-full without a root certificate of its own (asyncpg knows no
    `sslrootcert=system`, and without one it demands ~/.postgresql/root.crt)."""
    if options.get("sslmode") != "verify-full" or options.get("sslrootcert", "system") != "system":
        return None
    context = ssl.create_default_context()
    if "sslcert" in options:
        context.load_cert_chain(options["sslcert"], options.get("sslkey"), options.get("sslpassword"))
    return context
