"""Limits that all tools have alike, and one on rows as it is written: a count or a share, `100` or `5%`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

LONGEST_STATEMENT_SECONDS = 4 * 3600
"""Of PostgreSQL where nothing else is said, in all three tools."""

DEFAULT_MAXIMUM_REJECTED = "50%"
"""Of what is read, in all three tools: where more is refused, the rule is wrong, or the source, and not the rows."""

_WRITTEN = re.compile(r"^(?:\d+|\d+(?:\.\d+)?\s*%)$")


def parse_limit(written: str) -> str:
    """The limit in its one spelling; ValueError where it is none."""
    text = written.strip()
    if not _WRITTEN.match(text) or (text.endswith("%") and Decimal(text[:-1]) > 100):
        raise ValueError(f"expected a number of rows or a share, such as 100 or 5%, found {written!r}")
    return text.replace(" ", "")


def exceeds(limit: str | None, rows: int, of: int) -> bool:
    """Whether `rows` are more than the limit allows among `of`; None allows all."""
    if limit is None:
        return False
    if limit.endswith("%"):
        return rows * 100 > Decimal(limit[:-1]) * of
    return rows > int(limit)


def excess(limit: str | None, rows: int, of: int, claim: str, option: str = "maximum_rejected") -> str | None:
    """What a person reads where `rows` are more than the limit allows; `claim` says what they do."""
    if not exceeds(limit, rows, of):
        return None
    return f"expected at most {limit} of the {of:,} {claim} ({option}), found {rows:,}"


def _as_text(written: Any) -> Any:
    return str(written) if isinstance(written, int) and not isinstance(written, bool) else written


Limit = Annotated[str, BeforeValidator(_as_text), AfterValidator(parse_limit)]
