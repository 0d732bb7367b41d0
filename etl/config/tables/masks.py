"""What an entry's `mask` may say of a column: a word, or a mapping of one word to its parameters."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from etl.config.frozen import FrozenModel
from etl.postgresql_types import base_type, numeric_digits

Word = Literal["email", "phone", "ip", "name", "json", "all", "redact", "hmac", "tokenise"]
Period = Literal["year", "month"]

KEYED: Final = frozenset({"hmac", "tokenise"})
"""Equal values stay equal and others apart, so that keys and joins survive; they need the key of the environment."""

_TEXTS = frozenset({"text", "citext", "character varying", "character"})
_WHOLE = frozenset({"smallint", "integer", "bigint", "oid"})
_FLOATS = frozenset({"real", "double precision"})
_SHOWN_IN_PART = _TEXTS | _WHOLE | {"numeric", "uuid", "inet", "cidr", "macaddr", "name"}
_MOST = 10**15
_DIGITS = 38
"""Decimals on their way have no more; longer ones travel as text."""


class Partial(FrozenModel):
    """Only the first and last characters stand, each of the others is `fill`; of a value that has no others all are."""

    first: int = Field(default=0, ge=0)
    last: int = Field(default=0, ge=0)
    fill: str = Field(default="*", min_length=1, max_length=1)

    @model_validator(mode="after")
    def _keeps_something(self) -> Partial:
        if not self.first and not self.last:
            raise ValueError("expected `first` or `last`, the characters that stand; to show none write `redact`")
        return self


class Tokenise(FrozenModel):
    """Equal values have equal tokens within a domain, and others in every other."""

    domain: str = Field(pattern=r"^\S+$")


def _plain_number(written: float) -> float:
    return int(written) if written == int(written) else written


Truncation = Annotated[
    Annotated[Period, Tag("period")]
    | Annotated[int, Field(gt=0, le=_MOST), Tag("whole")]
    | Annotated[float, Field(gt=0, le=_MOST), AfterValidator(_plain_number), Tag("step")],
    Discriminator(lambda written: {str: "period", float: "step"}.get(type(written), "whole")),
]
"""Of a date the period it is in, of a text its first characters, of a number the step below it (towards 0)."""


class MaskWith(FrozenModel):
    """Exactly one of these; serialised as it is written."""

    partial: Partial | None = None
    redact: str | None = None
    """A constant; None is NULL."""
    tokenise: Tokenise | None = None
    truncate: Truncation | None = None

    @model_validator(mode="after")
    def _is_one(self) -> MaskWith:
        named = sorted(self.model_fields_set)
        if len(named) != 1:
            found = " and ".join(named) or "none"
            raise ValueError(f"expected one of {', '.join(sorted(type(self).model_fields))}; found {found}")
        if self.kind != "redact" and getattr(self, self.kind) is None:
            raise ValueError(f"{self.kind} has no parameters; found null")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}

    @property
    def kind(self) -> str:
        return next(iter(self.model_fields_set))


Mask = Annotated[
    Annotated[Word, Tag("word")] | Annotated[MaskWith, Tag("with")],
    Discriminator(lambda written: "with" if isinstance(written, dict | MaskWith) else "word"),
]

WORDS: tuple[str, ...] = get_args(Word)


def kind_of(mask: Mask) -> str:
    return mask.kind if isinstance(mask, MaskWith) else mask


def domain_of(mask: Mask, table: str, column: str) -> str | None:
    """Where equal values have equal tokens; None of a mask that makes none. Who names no domain has one a column."""
    if kind_of(mask) != "tokenise":
        return None
    return mask.tokenise.domain if isinstance(mask, MaskWith) and mask.tokenise else f"{table}.{column}"


def makes_null(mask: Mask) -> bool:
    return isinstance(mask, MaskWith) and mask.kind == "redact" and mask.redact is None


def keeps_type(mask: Mask) -> bool:
    """Whether its values are still of the column's own type."""
    return kind_of(mask) == "truncate" or makes_null(mask)


def misfit(mask: Mask, type_: str) -> str | None:
    """Why it cannot be had of a column of this PostgreSQL type; None where it can."""
    if not isinstance(mask, MaskWith):
        return None
    if mask.partial is not None and base_type(type_) not in _SHOWN_IN_PART:
        return f"partial is for texts and exact numbers, found {type_}"
    return _misfit_truncation(mask.truncate, type_) if mask.truncate is not None else None


def _misfit_truncation(to: Truncation, type_: str) -> str | None:
    base = base_type(type_)
    if isinstance(to, str):
        is_time = base == "date" or (base.startswith("timestamp") and not base.endswith("[]"))
        return None if is_time else f"truncate: {to} is for dates and timestamps, found {type_}"
    if base in _TEXTS:
        return None if isinstance(to, int) else f"truncate: {to} of {type_} means characters; expected a whole number"
    if base in _WHOLE | _FLOATS:
        if isinstance(to, int) and (to > 1 or base in _FLOATS):
            return None
        expected = "a whole step above 1" if base in _WHOLE else "a whole step"
        return f"truncate: {to} hides nothing of {type_}; expected {expected}"
    if base == "numeric":
        return _misfit_step(Decimal(repr(to)), type_)
    return f"truncate: {to} is for texts and numbers (year, month: for dates and timestamps), found {type_}"


def _misfit_step(step: Decimal, type_: str) -> str | None:
    digits = numeric_digits(type_)
    if digits is None or digits[0] > _DIGITS:
        return f"a {type_} travels as text and has no steps; give it a precision in `cast`, found truncate: {step}"
    unit = Decimal(1).scaleb(-digits[1])
    if step % unit or step == unit:
        return f"truncate: {step} hides nothing of {type_} or is no multiple of its last digit ({unit:f})"
    return None
