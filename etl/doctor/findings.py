"""What a check has found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from etl.errors import EtlError

SCHEMA_VERSION = 1
"""Of what `--json` prints: it grows where a key goes or means something else, not where one comes."""

_SHOWN = 5


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """A run works, and somebody should look at it."""
    FAILED = "failed"
    """A run would fail, wholly or in part."""
    NOT_ASKED = "not_asked"
    """`found` says why."""


@dataclass(frozen=True)
class Answer:
    """Of one check, which its subject names. `next_step` is a command, a statement or a setting."""

    status: Status
    found: str
    expected: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Finding:
    """`id` is `subject.check`, and stays what it is from version to version."""

    id: str
    subject: str
    status: Status
    found: str
    expected: str
    next_step: str

    @property
    def check(self) -> str:
        return self.id.removeprefix(f"{self.subject}.")


def ok(found: str) -> Answer:
    return Answer(Status.OK, found)


def warning(found: str, *, expected: str = "", next_step: str) -> Answer:
    return Answer(Status.WARNING, found, expected, next_step)


def failed(found: str, *, expected: str = "", next_step: str) -> Answer:
    return Answer(Status.FAILED, found, expected, next_step)


def not_asked(why: str, *, next_step: str = "") -> Answer:
    return Answer(Status.NOT_ASKED, why, next_step=next_step)


def of_error(error: EtlError | OSError, setting: str = "") -> Answer:
    """Our errors end with what to do, behind the last semicolon; `setting` names the server."""
    message = error.message if isinstance(error, EtlError) else str(error)
    found, _, next_step = message.rpartition("; ")
    named = f"({setting})" if setting else ""
    return Answer(Status.FAILED, found or message, next_step=" ".join(filter(None, [found and next_step, named])))


def worst(findings: Iterable[Finding]) -> Status:
    """Of a whole examination: what was not asked harms nobody."""
    found = {finding.status for finding in findings}
    return next((each for each in (Status.FAILED, Status.WARNING) if each in found), Status.OK)


def as_json(findings: Iterable[Finding]) -> Mapping[str, Any]:
    listed = list(findings)
    return {
        "schema_version": SCHEMA_VERSION,
        "status": worst(listed),
        "checks": [asdict(finding) for finding in listed],
    }


def some(names: Iterable[str]) -> str:
    """The first few, and how many more."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
