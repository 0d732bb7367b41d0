"""What every value of the configuration is made of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    later_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after tables were loaded with this model: while one says its default, nothing has changed."""

    def said(self, exclude: Collection[str] = ()) -> dict[str, Any]:
        """As JSON, what a hash of the configuration is made of: it stays what it was when a field is added here."""
        silent = {
            name
            for name in self.later_fields
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True)
        }
        return self.model_dump(mode="json", exclude=silent.union(exclude))


def listed(written: Any) -> Any:
    """For a BeforeValidator: where several are expected, one may stand alone."""
    if isinstance(written, list):
        return tuple(written)
    return (written,) if isinstance(written, str) else written
