"""How a server's settings are read: the environment first, then its block in etl.yaml. All faults are kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import SecretStr

from etl.config.document import Node
from etl.config.frozen import FrozenModel
from etl.config.settings import PostgreSQLSettings
from etl.config.urls import Fields, is_loopback, postgresql_fields
from etl.config.validation import validate
from etl.errors import Fault

SettingsT = TypeVar("SettingsT", bound=FrozenModel)
ENVIRONMENT = "environment"
"""Stands for the file in faults of variables."""


@dataclass
class ServerReader:
    document: Node
    environ: Mapping[str, str]
    config_dir: Path
    faults: list[Fault] = field(default_factory=list)

    def postgresql(self, block: str, variable: str, ca_variable: str) -> PostgreSQLSettings | None:
        kept = ("connect_timeout_seconds", "statement_timeout_seconds")
        node = self.server(block, variable, postgresql_fields, PostgreSQLSettings, kept)
        if node is None:
            return None
        host = node.get("host")
        defaults: Fields = {"sslmode": "prefer" if host and is_loopback(str(host.value)) else "verify-full"}
        return self.settings(block, PostgreSQLSettings, self.with_ca(node, ca_variable), defaults)

    def server(
        self,
        block: str,
        variable: str,
        fields_of: Callable[[str], Fields],
        model: type[FrozenModel],
        kept: Collection[str] = (),
    ) -> Node | None:
        """The server that the variable names; else the block of etl.yaml, its `url` taken apart.

        `kept` is what etl.yaml still says of one that the variable names: nothing of where it is or whom to trust.
        """
        node = self.document.get(block)
        if node is not None and node.value is not None and not isinstance(node.value, dict):
            self.faults.append(node.fault(f"{block} must be a mapping of keys"))
            return None
        written = (
            self._from_block(block, node, fields_of, model) if node is not None and node.value is not None else None
        )
        url = self.first((variable,))
        if url is None:
            return written
        fields = self.attempt(variable, lambda: fields_of(url))
        still = {key: value for key, value in written.mapping.items() if key in kept} if written else {}
        return laid(environment({}).child(still), fields) if fields is not None else None

    def _from_block(
        self, block: str, node: Node, fields_of: Callable[[str], Fields], model: type[FrozenModel]
    ) -> Node | None:
        for key in _secrets(model):
            secret = node.get(key)
            if secret is not None and secret.value and not secret.from_environment:
                self.faults.append(secret.fault(f"{block}.{key}: secrets come from the environment; write ${{NAME}}"))
        url = node.get("url")
        if url is None:
            return node
        try:
            fields = fields_of(str(url.value))
        except ValueError as error:
            self.faults.append(url.fault(f"{block}.url: {error}"))
            return None
        if fields.get("password") and not url.from_environment:
            self.faults.append(url.fault(f"{block}.url holds a password; it must come from the environment: ${{NAME}}"))
        for key in (key for key in fields if key in node.mapping):
            self.faults.append(node.mapping[key].fault(f"{block}.{key} is given twice: here and in {block}.url"))
        given = {key: url.child(value) for key, value in fields.items()}
        return node.child({**given, **{key: value for key, value in node.mapping.items() if key != "url"}})

    def with_ca(self, node: Node, variable: str) -> Node:
        ca_file = self.first((variable,))
        return laid(node, {"ca_file": ca_file}) if ca_file else node

    def settings(
        self, block: str, model: type[SettingsT], node: Node, defaults: Fields | None = None
    ) -> SettingsT | None:
        node = self._with_located_ca(block, node)
        filled = {key: node.child(value) for key, value in (defaults or {}).items()} | node.mapping
        settings, faults = validate(model, node.child(filled), {(): [*model.model_fields, "url"]})
        self.faults += [replace(fault, message=f"{block}: {fault.message}") for fault in faults]
        return settings

    def _with_located_ca(self, block: str, node: Node) -> Node:
        """A relative `ca_file` of etl.yaml starts at its folder, like every path there."""
        ca_file = node.get("ca_file")
        if ca_file is None or not isinstance(ca_file.value, str):
            return node
        path = Path(ca_file.value) if ca_file.file == ENVIRONMENT else self.config_dir / ca_file.value
        if not path.is_file():
            self.faults.append(
                ca_file.fault(f"{block}.ca_file: no file {path}; expected the authority's certificate (PEM)")
            )
        return node.child({**node.mapping, "ca_file": replace(ca_file, value=str(path))})

    def first(self, names: tuple[str, ...]) -> str | None:
        return next((self.environ[name] for name in names if self.environ.get(name)), None)

    def attempt(self, variable: str, read: Callable[[], Fields | None]) -> Fields | None:
        try:
            return read()
        except ValueError as error:
            self.faults.append(Fault(ENVIRONMENT, 0, f"{variable}: {error}"))
            return None


def _secrets(model: type[FrozenModel]) -> list[str]:
    return [
        name
        for name, field_ in model.model_fields.items()
        if SecretStr in (field_.annotation, *get_args(field_.annotation))
    ]


def environment(fields: Fields) -> Node:
    """Fields that variables give."""
    return Node({k: Node(v, ENVIRONMENT, 0, from_environment=True) for k, v in fields.items()}, ENVIRONMENT, 0)


def laid(node: Node, fields: Fields) -> Node:
    """Fields from the environment laid upon a server's node."""
    return node.child({**node.mapping, **environment(fields).mapping})
