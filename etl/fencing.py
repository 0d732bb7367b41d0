"""The token of an orchestrator's attempt: whoever publishes asks, in that very transaction, whether it still holds.

An attempt that was paused, given up and taken over comes back to a fence that is closed: what it meant to publish is
rolled back. The row that is asked stays locked until the transaction ends, so that nobody takes over in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from etl.errors import FencedError, UsageError
from etl.postgresql_types import IDENTIFIER_BYTES

VARIABLE = "ETL_FENCE"

_WRITTEN = re.compile(r"([a-z_][a-z0-9_]{0,62})/([1-9][0-9]{0,17})/([1-9][0-9]{0,17})")


@dataclass(frozen=True)
class Fence:
    """`token` is the attempt's: the orchestrator's function, in `schema`, knows whether it is still under way.

    The texts hold no values to be bound, and so serve every driver.
    """

    schema: str
    run_id: int
    token: int

    @property
    def session(self) -> str:
        """By which a session of the attempt is known."""
        return f"run {self.run_id}/{self.token}"

    def session_name(self, product: str, *words: str) -> str:
        """As application_name, of which the server keeps so many bytes: what the session is found by is among them."""
        room = IDENTIFIER_BYTES - len(self.session) - 1
        return _cut(" ".join(filter(None, (_cut(product, room), self.session, *words))), IDENTIFIER_BYTES)

    @property
    def is_there(self) -> str:
        """A statement: one row where this database can be asked, else none."""
        return f"SELECT 1 WHERE to_regprocedure('{self._function}(bigint)') IS NOT NULL"

    @property
    def is_held(self) -> str:
        """An expression; where it is true, the attempt cannot be taken over until the transaction ends."""
        return f"{self._function}({self.token:d})"

    @property
    def question(self) -> str:
        """A statement: one row where it is held, else none."""
        return f"SELECT 1 WHERE {self.is_held}"

    def asked_by(self, statement: str) -> str:
        """A statement that returns rows; each then says last whether it is held, without a round trip more."""
        return f"{statement.removesuffix(';')}, {self.is_held}"

    @property
    def _function(self) -> str:
        return f'"{self.schema}".dw_etl_hold_fence'

    def lost(self, doing: str) -> FencedError:
        return FencedError(
            f"{doing}: expected to hold attempt {self.token} of the orchestrator's run {self.run_id}, found that "
            "another attempt has taken over or the run was cancelled; nothing of this transaction was stored, "
            f"`etl orchestrator run show {self.run_id}` says who goes on"
        )


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def read_fence(environ: Mapping[str, str]) -> Fence | None:
    """None where no orchestrator has started this process."""
    written = environ.get(VARIABLE)
    if not written:
        return None
    found = _WRITTEN.fullmatch(written)
    if found is None:
        raise UsageError(
            f"{VARIABLE}: expected <schema>/<run>/<token> as the orchestrator sets it, such as orchestrator/17/42, "
            f"found {written!r}; unset it where no orchestrator starts this"
        )
    schema, run_id, token = found.groups()
    return Fence(schema, int(run_id), int(token))
