"""Where the Data Loader page listens and who may: the block `page` of etl.yaml, and ETL_PAGE_*."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from etl.config.document import Node
from etl.config.frozen import FrozenModel, listed
from etl.config.urls import bracketed, is_loopback, split_url
from etl.config.validation import validate
from etl.errors import Fault

ENVIRONMENT = "environment"
KEY_VARIABLE = "ETL_PAGE_SECRET"
SHORTEST_PAGE_SECRET = 32
_VARIABLES = {
    "ETL_PAGE_HOST": "host",
    "ETL_PAGE_PORT": "port",
    "ETL_PAGE_PUBLIC_URL": "public_url",
    KEY_VARIABLE: "secret",
}
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


def _address(url: str) -> str:
    """As an Origin is written: scheme, name and port, and nothing behind."""
    parts = split_url(url, ("https", "http"))
    if not parts.hostname or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("expected an address without a path, such as https://etl.example.com")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _issuer(url: str) -> str:
    parts = split_url(url, ("https", "http"))
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("expected https://: whoever can change what the provider answers could sign in as anybody")
    return url


def _host(name: str) -> str:
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"{name!r}: expected names of hosts without scheme and port, such as etl.example.com")
    return name.lower()


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(listed)]


class OidcRoles(FrozenModel):
    """Who may what, by a claim of the provider's: in none of both lists is nobody's user. `*` is everybody."""

    claim: str = "groups"
    operator: Names = ()
    viewer: Names = ()


class OidcSettings(FrozenModel):
    """Sign-in at an OpenID provider."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: str
    client_secret: SecretStr | None = None
    name: str = "Single sign-on"
    """On the page's button."""
    scopes: str = "openid profile email"
    user_claim: str = "email"
    trusts_unverified_email: bool = False
    """For providers that say nothing of it and let nobody choose an address."""
    roles: OidcRoles = OidcRoles()


class PageSettings(FrozenModel):
    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=1, le=65535)
    public_url: Annotated[str, AfterValidator(_address)] | None = None
    """As browsers write it; https where a proxy ends TLS before us."""
    secret: SecretStr | None = None
    sign_in: bool = True
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    idle_minutes: float = Field(default=60, ge=1)
    trusted_hosts: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], BeforeValidator(listed)] = ()
    trusted_proxies: Names = ()
    """Addresses whose word counts for where a request came from."""
    oidc: OidcSettings | None = None

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def opened_by(self) -> str | None:
        """What lets others reach it, in words: it listens beyond this machine, or a proxy on it passes them on."""
        if not self.is_loopback:
            return f"page.host is {self.host}"
        if self.public_url is not None and not is_loopback(urlsplit(self.public_url).hostname or ""):
            return f"page.public_url is {self.public_url}"
        if beyond := [name for name in self.trusted_hosts if not is_loopback(name.strip("[]"))]:
            return f"page.trusted_hosts has {beyond[0]}"
        return f"page.trusted_proxies has {self.trusted_proxies[0]}" if self.trusted_proxies else None

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.public_url is not None and self.public_url.startswith("https://")

    @property
    def address(self) -> str:
        """What a person opens."""
        return self.public_url or f"http://{bracketed(self.host)}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Names it answers to, lower-case, IPv6 in brackets."""
        own = {urlsplit(self.public_url).hostname or ""} if self.public_url else set()
        here = {"localhost", "127.0.0.1", "[::1]", bracketed(self.host).lower()} if self.is_loopback else set()
        return frozenset({*map(bracketed, own), *here, *self.trusted_hosts} - {""})

    @property
    def secrets(self) -> tuple[str, ...]:
        found = (self.secret, self.oidc.client_secret if self.oidc else None)
        return tuple(each.get_secret_value() for each in found if each is not None)


def read_page(document: Node, environ: Mapping[str, str]) -> tuple[PageSettings, list[Fault]]:
    node = document.get("page")
    if node is None or node.value is None:
        node = Node({}, ENVIRONMENT, 0)
    if not isinstance(node.value, dict):
        return PageSettings(), [node.fault("page must be a mapping of keys")]
    faults = list(_written_secrets(node))
    laid, found = _with_variables(node, environ)
    settings, refused = validate(PageSettings, laid, _KEYS_AT)
    faults += [*found, *(replace(fault, message=f"page: {fault.message}") for fault in refused)]
    if settings is not None:
        faults += _lacking(settings, node)
    return settings or PageSettings(), faults


_KEYS_AT = {
    (): PageSettings.model_fields,
    ("oidc",): OidcSettings.model_fields,
    ("oidc", "roles"): OidcRoles.model_fields,
}


def _written_secrets(node: Node) -> list[Fault]:
    found = {"page.secret": node.get("secret"), "page.oidc.client_secret": node.get("oidc", "client_secret")}
    return [
        each.fault(f"{name}: secrets come from the environment; write ${{NAME}}")
        for name, each in found.items()
        if each is not None and each.value and not each.from_environment
    ]


def _with_variables(node: Node, environ: Mapping[str, str]) -> tuple[Node, list[Fault]]:
    """The environment first."""
    given: dict[str, Node] = {}
    faults = []
    for variable, key in _VARIABLES.items():
        if not (value := environ.get(variable)):
            continue
        if key == "port" and not value.isdecimal():
            faults.append(Fault(ENVIRONMENT, 0, f"{variable}: expected a port's number, found {value!r}"))
            continue
        given[key] = Node(int(value) if key == "port" else value, ENVIRONMENT, 0, from_environment=True)
    return node.child({**node.mapping, **given}), faults


def _lacking(settings: PageSettings, node: Node) -> list[Fault]:
    secret = settings.secret.get_secret_value() if settings.secret else None
    if secret is not None and len(secret) < SHORTEST_PAGE_SECRET:
        made = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
        text = f"{KEY_VARIABLE}: expected {SHORTEST_PAGE_SECRET} characters or more, found {len(secret)}; {made}"
        return [Fault(ENVIRONMENT, 0, text)]
    if settings.oidc is not None and secret is None:
        where = node.get("oidc") or node
        return [where.fault(f"page.oidc: the way to the provider and back is signed; set {KEY_VARIABLE}")]
    return []
