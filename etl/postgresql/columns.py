"""A column of a target as PostgreSQL's catalog has it, whatever driver asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StoredColumn:
    """`type` as format_type() prints it; `identity` is `a` (always), `d` (by default) or empty."""

    name: str
    type: str
    not_null: bool = False
    has_default: bool = False
    identity: str = ""
    generated: str = ""

    @property
    def is_generated(self) -> bool:
        return bool(self.generated)

    @property
    def is_always_identity(self) -> bool:
        return self.identity == "a"

    @property
    def must_be_given(self) -> bool:
        return self.not_null and not (self.has_default or self.identity or self.generated)
