"""Whether and as what the main job's runs are told to an OpenLineage server, by the variables that all its integrations
share. How it is reached is the client's to read (OPENLINEAGE_URL, OPENLINEAGE_CONFIG, OPENLINEAGE__TRANSPORT__…).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import SecretStr

from etl.config.frozen import FrozenModel
from etl.errors import Fault

NAMESPACE = "ownlens-etl"
_TRANSPORT = re.compile(r"OPENLINEAGE__TRANSPORT(__.+)?")
_SECRET = re.compile(r"OPENLINEAGE(_|__.*_)(API_?KEY|AUTH|PASSWORD|TOKEN|SECRET)", re.IGNORECASE)


class ParentRun(FrozenModel):
    """The run of a scheduler that started ours."""

    namespace: str
    name: str
    run_id: str


class LineageSettings(FrozenModel):
    namespace: str = NAMESPACE
    """Of our jobs."""
    parent: ParentRun | None = None
    hidden: tuple[SecretStr, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(secret.get_secret_value() for secret in self.hidden)


def read_lineage(environ: Mapping[str, str]) -> tuple[LineageSettings | None, list[Fault]]:
    """None where no variable says where events go, or one that they go nowhere."""
    if environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true" or not _is_asked_for(environ):
        return None, []
    faults: list[Fault] = []
    parent = _parent(environ.get("OPENLINEAGE_PARENT_ID", ""), faults)
    _check_url(environ.get("OPENLINEAGE_URL", ""), faults)
    _check_file(environ.get("OPENLINEAGE_CONFIG", ""), faults)
    if faults:
        return None, faults
    namespace = environ.get("OPENLINEAGE_NAMESPACE") or NAMESPACE
    return LineageSettings(namespace=namespace, parent=parent, hidden=_hidden(environ)), []


def _is_asked_for(environ: Mapping[str, str]) -> bool:
    named = (environ.get("OPENLINEAGE_URL"), environ.get("OPENLINEAGE_CONFIG"))
    return any(named) or any(_TRANSPORT.fullmatch(name) for name in environ)


def _parent(text: str, faults: list[Fault]) -> ParentRun | None:
    if not text:
        return None
    try:
        namespace, name, run_id = text.split("/")
        return ParentRun(namespace=namespace, name=name, run_id=str(UUID(run_id)))
    except ValueError:
        faults.append(_fault("OPENLINEAGE_PARENT_ID", f"expected NAMESPACE/JOB/UUID of the run, found {text!r}"))
        return None


def _check_url(url: str, faults: list[Fault]) -> None:
    """What cannot be read may hold a password: it is not repeated."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if url and not is_whole:
        faults.append(_fault("OPENLINEAGE_URL", "expected http://HOST:PORT or https://HOST:PORT of the server"))


def _check_file(path: str, faults: list[Fault]) -> None:
    """The client would pass over it without a word."""
    if path and not Path(path).is_file():
        faults.append(_fault("OPENLINEAGE_CONFIG", f"no file {path}; expected the client's YAML (openlineage.yml)"))


def _hidden(environ: Mapping[str, str]) -> tuple[SecretStr, ...]:
    password = unquote(urlsplit(environ.get("OPENLINEAGE_URL", "")).password or "")
    values = [password, *(value for name, value in environ.items() if _SECRET.fullmatch(name))]
    return tuple(SecretStr(value) for value in values if value)


def _fault(variable: str, message: str) -> Fault:
    return Fault("environment", 0, f"{variable}: {message}")
