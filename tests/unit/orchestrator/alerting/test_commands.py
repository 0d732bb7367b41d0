"""Whatever an alert says to type can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from etl.config.alerts import KINDS_OF_ORCHESTRATOR
from etl.orchestrator.__main__ import app
from etl.orchestrator.alerting.wording import NEXT
from etl.project import PROJECT_DIR

RULES = (PROJECT_DIR / "conf" / "prometheus" / "orchestrator.rules.yaml").read_text(encoding="utf-8")


def typed() -> Iterator[str]:
    yield from re.findall(r"`etl orchestrator ([^`]*)`", RULES)
    for commands in NEXT.values():
        yield from (command.format(run_id=7) for command in commands)


@pytest.mark.parametrize("line", sorted(set(typed())))
def test_a_command_that_is_named_is_one(line: str) -> None:
    words = shlex.split(line.replace("{{ $labels.etl_job }}", "a_job"))
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    required = {parameter.opts[0] for parameter in command.params if parameter.required and parameter.opts[0][0] == "-"}
    given = {word for word in words if word.startswith("--")}
    assert not hasattr(command, "commands"), f"{line}: which of {sorted(command.commands)}?"
    assert given <= options
    assert required <= given or not words  # a bare name only says which command


def test_each_kind_says_what_to_do_next() -> None:
    assert set(NEXT) == set(KINDS_OF_ORCHESTRATOR)
