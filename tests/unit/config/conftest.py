"""A small shop as a configuration folder: good as it stands, so that each test spoils one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.errors import ConfigurationError

SCHEMA = """
CREATE TABLE customers (
    customer_id bigint PRIMARY KEY,
    email varchar(200) NOT NULL UNIQUE,
    name text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    amount numeric(12, 2),
    order_date date NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
"""


@dataclass(frozen=True)
class Folder:
    """A configuration folder under test; names of files are relative to it."""

    path: Path

    def write(self, name: str, text: str) -> Folder:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return self

    def tables(self, text: str) -> Folder:
        return self.write("tables/shop.yaml", text)

    def load(self, environ: Mapping[str, str] | None = None) -> Configuration:
        return load_configuration(self.path, environ or {})

    def faults(self, environ: Mapping[str, str] | None = None) -> list[str]:
        """Every fault as `file:line: message`, the folder's own path taken away; [] where there is none."""
        try:
            self.load(environ)
        except ConfigurationError as error:
            return [str(fault).replace(f"{self.path}/", "") for fault in error.faults]
        return []


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An etl.yaml with an offline schema of `customers` and `orders`; no tables yet."""
    return Folder(tmp_path).write("schema.sql", SCHEMA).write("etl.yaml", "source_schema: schema.sql\n")
