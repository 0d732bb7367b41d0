"""What a table's configuration amounts to, as plain values fit for a screen, a log or the ledger: no secrets."""

from __future__ import annotations

from typing import Any

from etl.config.tables.models import TableConfig
from etl.redaction import redact_value


def effective(config: TableConfig) -> dict[str, Any]:
    """Every key with its value in force, defaults included, in the names that YAML uses."""
    plain = config.model_dump(mode="json", exclude={"definition"})
    for block in ("source", "transform"):  # paths may hold a user, a transformer's options may hold anything
        plain[block] = redact_value(plain[block])
    plain["columns"] = {c.name: c.type for c in config.definition.columns} if config.definition else {}
    return plain
