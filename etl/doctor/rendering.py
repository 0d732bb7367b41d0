"""The findings for the eye: by subject, what was found on one line, and under it what to do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from etl.doctor.findings import Finding, Status

_WORDS = {Status.OK: "ok", Status.WARNING: "warning", Status.FAILED: "FAILED", Status.NOT_ASKED: "not asked"}
_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red", Status.NOT_ASKED: "dim"}


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    widest = max(len(finding.check) for finding in findings)
    for subject, of_subject in groupby(findings, key=lambda finding: finding.subject):
        console.print(Text(subject, style="bold"))
        console.print(Padding(_table(list(of_subject), widest), (0, 0, 0, 2), expand=False))
    console.print(_sum(findings))


def _table(findings: Sequence[Finding], widest: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(width=max(map(len, _WORDS.values())))
    table.add_column(width=widest)
    table.add_column(overflow="fold")
    for each in findings:
        table.add_row(Text(_WORDS[each.status], style=_STYLES[each.status]), each.check, Text(each.found))
        if each.status is Status.OK:
            continue
        if each.expected:
            table.add_row("", "", Text(f"expected: {each.expected}"))
        if each.next_step:
            table.add_row("", "", Text(f"→ {each.next_step}", style="bold" if each.status is Status.FAILED else ""))
    return table


def _sum(findings: Sequence[Finding]) -> Text:
    parts = []
    for status in (Status.FAILED, Status.WARNING, Status.OK, Status.NOT_ASKED):
        number = sum(finding.status is status for finding in findings)
        if number:
            parts.append(Text(f"{number} {_WORDS[status].lower()}", style=_STYLES[status]))
    return Text(", ").join(parts)
