"""One builder a table: rows in, Arrow columns out (all but generated columns), a pure function of its rows' numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from etl.sample.rows import Rows
from etl.sample.tables import (
    audit,
    base,
    company,
    compliance,
    configuration,
    customer,
    data_quality,
    editorial,
    editorial_media,
    ml_models,
    security,
)
from etl.sample.values import Columns

BUILDERS_BY_DOMAIN: Mapping[str, Mapping[str, Callable[[Rows], Columns]]] = {
    "base": base.BUILDERS,
    "company": company.BUILDERS,
    "security": security.BUILDERS,
    "ml_models": ml_models.BUILDERS,
    "editorial": editorial.BUILDERS | editorial_media.BUILDERS,
    "customer": customer.BUILDERS,
    "data_quality": data_quality.BUILDERS,
    "compliance": compliance.BUILDERS,
    "audit": audit.BUILDERS,
    "configuration": configuration.BUILDERS,
}
"""Domains, and tables within them, in an order in which parents precede children (cycles aside)."""
