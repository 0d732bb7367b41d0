"""docs/configuration.md speaks of every key there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from etl.config.alerts import AlertRule, AlertSettings
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.destinations.registry import BUILT_IN
from etl.config.destinations.s3.settings import S3Settings
from etl.config.page import OidcRoles, OidcSettings, PageSettings
from etl.config.settings import PostgreSQLSettings, RunSettings
from etl.config.tables.entries import entry_keys
from etl.config.tables.masks import MaskWith, Partial, Tokenise
from etl.config.tables.models import ExtractConfig, FileSource, PostgreSQLSource, TransformConfig
from etl.project import DEFAULT_CONFIG_DIR
from tests.unit.config.conftest import Folder

DOCS = DEFAULT_CONFIG_DIR.parent / "docs" / "configuration.md"
MODELS: tuple[type[BaseModel], ...] = (
    PostgreSQLSource,
    FileSource,
    ExtractConfig,
    TransformConfig,
    MaskWith,
    Partial,
    Tokenise,
    *(spec.load_config for spec in BUILT_IN),
    PostgreSQLSettings,
    ClickHouseSettings,
    S3Settings,
    RunSettings,
    AlertSettings,
    AlertRule,
    PageSettings,
    OidcSettings,
    OidcRoles,
)


def test_every_key_is_described() -> None:
    text = DOCS.read_text(encoding="utf-8")
    written = {key for model in MODELS for key, field in model.model_fields.items() if not field.exclude}
    keys = written - {"table_name", "destination"}
    assert {key for key in keys | set(entry_keys()) if f"`{key}`" not in text} == set()


@pytest.mark.parametrize("number", range(2))
def test_the_examples_are_good(folder: Folder, number: int) -> None:
    blocks = DOCS.read_text(encoding="utf-8").split("```yaml\n")[1:]
    assert len(blocks) == 2
    ddl = (
        "CREATE TABLE newsletter_issues (issue_id bigint PRIMARY KEY, created_at timestamptz, updated_at timestamptz);"
    )
    (Path(folder.path) / "schema.sql").write_text(ddl, encoding="utf-8")
    assert folder.tables(blocks[number].split("```")[0]).faults() == []
