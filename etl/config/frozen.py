"""What every value of the configuration is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def listed(written: Any) -> Any:
    """For a BeforeValidator: where several are expected, one may stand alone."""
    if isinstance(written, list):
        return tuple(written)
    return (written,) if isinstance(written, str) else written
