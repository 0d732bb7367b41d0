"""Subjects side by side, each within its time; servers are for tests/integration/doctor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from rich.console import Console

from etl.doctor import examination
from etl.doctor.clock import Reading, compared
from etl.doctor.examination import Subject, examine
from etl.doctor.findings import Answer, Finding, Status, as_json, failed, not_asked, ok, warning, worst
from etl.doctor.rendering import print_findings
from etl.errors import ConnectionLostError, StoreError


def test_one_that_stands_still_costs_its_own_checks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "PARTING_SECONDS", 0.1)
    for_ever = threading.Event()

    def still(_: object) -> Answer:
        for_ever.wait()
        return ok("at last")

    silent = Subject("silent", {"first": lambda _: ok("here"), "second": still, "third": still}, nullcontext)
    quick = Subject("quick", {"first": lambda _: ok("here")}, nullcontext)
    found = {each.id: each for each in examine([silent, quick], limit_seconds=0.2)}
    for_ever.set()
    assert [found[each].status for each in ("silent.first", "quick.first")] == [Status.OK, Status.OK]
    assert (found["silent.second"].status, found["silent.second"].found) == (
        Status.FAILED,
        "no answer within 0.2 s: it stands still",
    )
    assert (found["silent.third"].status, found["silent.third"].found) == (
        Status.NOT_ASKED,
        "second has not answered",
    )


def test_what_cannot_be_opened_fails_its_first_check() -> None:
    @contextmanager
    def shut() -> Iterator[None]:
        raise ConnectionLostError("expected an answer, found none; is it up?")
        yield

    subject = Subject("s", {"connection": lambda _: ok(""), "rest": lambda _: ok("")}, shut, "ETL_X")
    first, rest = examine([subject])
    assert (first.status, first.found) == (Status.FAILED, "expected an answer, found none")
    assert first.next_step == "is it up? (ETL_X)"
    assert (rest.status, rest.found) == (Status.NOT_ASKED, "connection has failed")


def test_a_check_that_raises_stops_no_other() -> None:
    def refuse(_: object) -> Answer:
        raise StoreError("refused")

    first, second = examine([Subject("s", {"a": refuse, "b": lambda _: ok("")}, nullcontext)])
    assert (first.status, first.found, first.next_step) == (Status.FAILED, "refused", "")
    assert second.status is Status.OK


def test_a_file_that_cannot_be_read_is_a_finding_too() -> None:
    def unreadable(_: object) -> Answer:
        raise PermissionError(13, "Permission denied", "/etc/shadow")

    [found] = examine([Subject("s", {"a": unreadable}, nullcontext)])
    assert (found.status, "Permission denied: '/etc/shadow'" in found.found) == (Status.FAILED, True)


def test_a_mistake_of_ours_is_no_finding() -> None:
    def mistaken(_: object) -> Answer:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        examine([Subject("s", {"a": mistaken}, nullcontext)])


def test_secrets_are_masked() -> None:
    answer = failed("hush-hush is wrong", expected="not hush-hush", next_step="say hush-hush")
    [found] = examine([Subject("s", {"a": lambda _: answer}, nullcontext)], ["hush-hush"])
    assert "hush-hush" not in f"{found}"


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.4, Status.OK), (-4, Status.OK), (30, Status.WARNING), (-901, Status.FAILED)]
)
def test_clocks_are_compared_at_the_middle_of_the_way(seconds: float, expected: Status) -> None:
    found = compared(Reading(began=1_000, ended=1_010, there=1_005 - seconds))
    assert found.status is expected
    assert f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} the server" in found.found


FINDINGS = [
    Finding("machine.java", "machine", Status.OK, "17 at /usr/bin/java", "", ""),
    Finding("s3.tls", "s3", Status.WARNING, "none: rows travel in the clear " * 3, "https", "https://… there"),
    Finding("s3.clock", "s3", Status.NOT_ASKED, "the store sends no Date", "", ""),
]


def test_the_worst_decides_and_what_was_not_asked_harms_nobody() -> None:
    broken = Finding("a.b", "a", Status.FAILED, "", "", "")
    assert worst(FINDINGS) is Status.WARNING
    assert worst([*FINDINGS, broken]) is Status.FAILED
    assert worst(FINDINGS[2:]) is Status.OK
    assert as_json(FINDINGS)["status"] == "warning"


def test_it_is_read_at_80_columns_without_colour() -> None:
    console = Console(width=80, color_system=None, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_findings(FINDINGS, console)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[:2] == ["machine", "  ok         java   17 at /usr/bin/java"]
    assert "                    → https://… there" in lines
    assert lines[-1] == "1 warning, 1 ok, 1 not asked"


def test_answers_say_what_to_do_where_something_is_wrong() -> None:
    """By their signatures; `not_asked` says why in what it found."""
    assert warning("w", next_step="n").next_step == failed("f", next_step="n").next_step == "n"
    assert not_asked("why").status is Status.NOT_ASKED
