"""What the child processes of a worker share: they hear by their environment what to do, and say on a descriptor of
their own how it went. What they print is for people."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from etl.command.edge import Ended, say
from etl.command.exits import Exit
from etl.command.logging import LogFormat, configure_logging
from etl.config.orchestrator.models import GIVEN_PARAMETERS
from etl.errors import ConfigurationError, EtlError, UsageError
from etl.fencing import Fence, read_fence
from etl.orchestrator.work import classify
from etl.orchestrator.work.launching import (
    COMMAND_VARIABLE,
    CONFIG_DIR_VARIABLE,
    PARAMETERS_VARIABLE,
    REPORT_VARIABLE,
)
from etl.project import DEFAULT_CONFIG_DIR
from etl.redaction import redact

if TYPE_CHECKING:
    from etl.config.settings import Settings


@dataclass(frozen=True)
class Task:
    """What the worker gave this process to do."""

    command: Mapping[str, Any]
    parameters: Mapping[str, Any]
    """The run's own."""
    given: Mapping[str, Any]
    """What each run has: scheduled_at, interval_from, interval_until, cycle, run_id; None where this one has not."""
    config_dir: Path
    fence: Fence | None = None
    """The attempt's, whatever servers are configured."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Task:
        if COMMAND_VARIABLE not in environ:
            raise UsageError(f"expected to be started by a worker, found no {COMMAND_VARIABLE} in the environment")
        given = {name: environ.get(f"ETL_ORCHESTRATOR_{name.upper()}") for name in GIVEN_PARAMETERS}
        return cls(
            orjson.loads(environ[COMMAND_VARIABLE]),
            orjson.loads(environ.get(PARAMETERS_VARIABLE, "{}")),
            {**given, "run_id": int(given["run_id"] or 0)},
            Path(environ.get(CONFIG_DIR_VARIABLE, DEFAULT_CONFIG_DIR)),
            read_fence(environ),
        )

    @cached_property
    def settings(self) -> Settings:
        from etl.config.configuration import load_settings  # half of the time that a child takes to start

        return load_settings(self.config_dir)


def run_child(work: Callable[[Task], Mapping[str, Any]]) -> NoReturn:
    """`work` returns records_read, records_written and metrics, as far as it knows them. Ends the process.

    The worker knows the secrets, and masks what is written and reported here.
    """
    try:
        configure_logging(LogFormat.CONSOLE)
        _report(work(Task.read(os.environ)))
    except KeyboardInterrupt as error:
        sys.exit(Exit.TERMINATED if isinstance(error, Ended) else Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker is told what kind of failure it was
        failure = classify.of_exception(error)
        text = error.message if isinstance(error, EtlError) else traceback.format_exc()
        say(redact(text))
        _report({"failure": {**classify.as_report(failure), "message": redact(failure.message)}})
        sys.exit(Exit.USAGE if isinstance(error, UsageError | ConfigurationError) else Exit.FAILED)
    sys.exit(Exit.DONE)


def tell(text: str) -> None:
    """A line of the job's output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _report(said: Mapping[str, Any]) -> None:
    sys.stdout.flush()
    descriptor = os.environ.get(REPORT_VARIABLE)
    if descriptor is not None:
        os.write(int(descriptor), orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n")
