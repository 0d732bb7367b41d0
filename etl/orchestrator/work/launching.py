"""An attempt that was claimed → what is started: its words and its environment. Secrets are in neither's words."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from etl.config.orchestrator.models import PLACEHOLDER
from etl.errors import UsageError
from etl.fencing import VARIABLE as FENCE_VARIABLE
from etl.orchestrator.values import Claim, JobKind
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR

REPORT_VARIABLE = "ETL_ORCHESTRATOR_REPORT"
"""The descriptor on which children of ours say how it went."""
CONFIG_DIR_VARIABLE = "ETL_ORCHESTRATOR_CONFIG_DIR"
PARAMETERS_VARIABLE = "ETL_ORCHESTRATOR_PARAMETERS"
COMMAND_VARIABLE = "ETL_ORCHESTRATOR_COMMAND"

OURS = "etl"
"""The first word of a command of the house, whatever of that name stands on the machine's PATH."""

_READ_A_CONFIGURATION = ("run", "staging", "rejects", "lake", "config", "orchestrator")
_CONFIG_DIR = "--config-dir"
_CHILDREN = {JobKind.SQL: "etl.orchestrator.work.sql_job", JobKind.PYTHON: "etl.orchestrator.work.python_job"}


@dataclass(frozen=True)
class Launch:
    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path = PROJECT_DIR
    """Relative paths in conf/jobs start there, wherever the worker was started."""


def launch_of(claim: Claim, schema: str, config_dir: Path, environ: Mapping[str, str] = os.environ) -> Launch:
    """UsageError where the job's words cannot be made."""
    environment = {**environ, **_environment(claim, schema, config_dir)}
    if claim.kind in _CHILDREN:
        environment[COMMAND_VARIABLE] = _json(claim.command)
        return Launch((sys.executable, "-m", _CHILDREN[claim.kind]), environment)
    return Launch((*_words(claim), *_configuration(claim.command["argv"], config_dir)), environment)


def given_parameters(claim: Claim) -> dict[str, Any]:
    """What each run has besides its own; None: this one has not."""
    return {
        "scheduled_at": _instant(claim.scheduled_at),
        "interval_from": _instant(claim.interval_from),
        "interval_until": _instant(claim.interval_until),
        "cycle": claim.cycle_id,
        "run_id": claim.run_id,
    }


def _environment(claim: Claim, schema: str, config_dir: Path) -> dict[str, str]:
    given = given_parameters(claim)
    values = {
        FENCE_VARIABLE: f"{schema}/{claim.run_id}/{claim.fencing_token}",
        "ETL_ORCHESTRATOR_RUN_ID": str(claim.run_id),
        "ETL_ORCHESTRATOR_JOB": claim.slug,
        "ETL_ORCHESTRATOR_ATTEMPT": str(claim.attempt),
        "ETL_ORCHESTRATOR_CYCLE": claim.cycle_id,
        "ETL_ORCHESTRATOR_SCHEDULED_AT": given["scheduled_at"],
        "ETL_ORCHESTRATOR_INTERVAL_FROM": given["interval_from"],
        "ETL_ORCHESTRATOR_INTERVAL_UNTIL": given["interval_until"],
        PARAMETERS_VARIABLE: _json(claim.parameters),
        CONFIG_DIR_VARIABLE: str(config_dir.absolute()),
        "PYTHONUNBUFFERED": "1",  # its output is read while it runs
    }
    return {name: value for name, value in values.items() if value is not None}


def _words(claim: Claim) -> tuple[str, ...]:
    values = {**claim.parameters, **given_parameters(claim)}
    first, *others = claim.command["argv"]
    begin = [sys.executable, "-m", "etl"] if first == OURS else [_filled(first, claim.slug, values)]
    return (*begin, *(_filled(word, claim.slug, values) for word in others))


def _configuration(argv: Sequence[str], config_dir: Path) -> list[str]:
    """Our own commands read the configuration that the worker reads, unless the job says another."""
    is_ours = argv[0] == OURS and len(argv) > 1 and argv[1] in _READ_A_CONFIGURATION
    says_another = any(word.partition("=")[0] == _CONFIG_DIR for word in argv)
    is_usual = config_dir.resolve() == DEFAULT_CONFIG_DIR.resolve()
    return [_CONFIG_DIR, str(config_dir.absolute())] if is_ours and not says_another and not is_usual else []


def _filled(word: str, slug: str, values: Mapping[str, Any]) -> str:
    filled = PLACEHOLDER.sub(_filling(word, slug, values), word)
    if "\0" in filled:
        raise UsageError(f"{slug}: argv: expected words without NUL characters, found one in {word!r}")
    return filled


def _filling(word: str, slug: str, values: Mapping[str, Any]) -> Callable[[re.Match[str]], str]:
    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            raise UsageError(f"{slug}: argv: expected a value for {{{match[1]}}}, found none in this run's parameters")
        if isinstance(value, list) and match[0] == word:
            return ",".join(map(_text, value))
        return _text(value)

    return fill


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(dict(value) if isinstance(value, Mapping) else value).decode()


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
