"""All subjects side by side, each within its time: a server that stands still costs its own checks alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from etl.doctor.findings import Answer, Finding, failed, not_asked, of_error, warning
from etl.errors import EtlError
from etl.redaction import redact

At = TypeVar("At")

LIMIT_SECONDS = 20.0
"""For all checks of one subject. What a server is asked has limits of its own, which are shorter."""

STATEMENT_SECONDS, CONNECT_SECONDS = 5, 5
PARTING_SECONDS = 2.0
"""For what is given up while it is under way: it takes back what it has written."""

_NO_SERVER = "no server is configured: ./spark-submit.sh starts an embedded one, spark-submit refuses to begin"

Clock = Callable[[], float]
"""This machine's, in seconds since 1970."""


@dataclass(frozen=True)
class Subject(Generic[At]):
    """What is asked of one machine or server. Where it cannot be opened the first check has failed, and the others are
    not asked."""

    name: str
    checks: Mapping[str, Callable[[At], Answer]]
    opened: Callable[[], AbstractContextManager[At]]
    setting: str = ""
    """Where the configuration says where it is."""


def unasked(name: str, why: str, next_step: str = "") -> Subject[Any]:
    return Subject(name, {"connection": lambda _: not_asked(why, next_step=next_step)}, nullcontext)


def unconfigured(name: str, setting: str, *, is_missed: bool) -> Subject[Any]:
    """A server that nothing names; `is_missed`: a run as it was asked about would not do without it."""
    if not is_missed:
        return unasked(name, _NO_SERVER, f"set {setting}")
    answer = warning(_NO_SERVER, expected="a server", next_step=f"set {setting}")
    return Subject(name, {"connection": lambda _: answer}, nullcontext)


def examine(
    subjects: Sequence[Subject[Any]], secrets: Iterable[str] = (), limit_seconds: float = LIMIT_SECONDS
) -> list[Finding]:
    """In the order of the subjects and their checks; returns soon after `limit_seconds`, whatever has not answered."""
    masked = tuple(secrets)
    under_way = [_UnderWay(subject) for subject in subjects]
    try:
        for each in under_way:
            each.thread.start()
        _join(under_way, limit_seconds)
    finally:
        for each in under_way:
            each.is_given_up = True
        _join(under_way, PARTING_SECONDS)
    return [finding for each in under_way for finding in each.findings(limit_seconds, masked)]


def _join(under_way: Sequence[_UnderWay], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for each in under_way:
        each.thread.join(max(0.0, deadline - time.monotonic()))


@dataclass
class _UnderWay:
    """A thread that nobody waits for at the process's end."""

    subject: Subject[Any]
    answers: dict[str, Answer] = field(default_factory=dict)
    is_given_up: bool = False
    broken: Exception | None = None
    """A mistake of the program, which is the command's to tell."""

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._look, name=self.subject.name, daemon=True)

    def findings(self, limit_seconds: float, secrets: tuple[str, ...]) -> Iterator[Finding]:
        if self.broken:
            raise self.broken
        answers = dict(self.answers)
        missing = [check for check in self.subject.checks if check not in answers]
        if missing:
            answers[missing[0]] = failed(
                f"no answer within {limit_seconds:g} s: it stands still",
                next_step="look at the server's log, its disk and its load",
            )
        for check in missing[1:]:
            answers[check] = not_asked(f"{missing[0]} has not answered")
        for check in self.subject.checks:
            yield _finding(self.subject.name, check, answers[check], secrets)

    def _look(self) -> None:
        first, *others = self.subject.checks
        try:
            with self.subject.opened() as at:
                for check, look in self.subject.checks.items():
                    if self.is_given_up:
                        return
                    self.answers[check] = _guarded(look, at)
        except (EtlError, OSError) as error:
            if first not in self.answers:
                self.answers[first] = of_error(error, self.subject.setting)
                self.answers.update({check: not_asked(f"{first} has failed") for check in others})
        except Exception as error:  # noqa: BLE001 - of a thread nobody else would hear of it
            self.broken = error


def _guarded(look: Callable[[Any], Answer], at: Any) -> Answer:
    try:
        return look(at)
    except (EtlError, OSError) as error:
        return of_error(error)


def _finding(subject: str, check: str, answer: Answer, secrets: tuple[str, ...]) -> Finding:
    texts = (redact(text, secrets) for text in (answer.found, answer.expected, answer.next_step))
    return Finding(f"{subject}.{check}", subject, answer.status, *texts)
