"""One log for the product's own lines and those of the libraries: to stderr, as JSON or for reading, never a secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import orjson
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor

from etl.redaction import redact, redact_value


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


def default_log_format() -> LogFormat:
    """For reading where a person sits, else for machines."""
    return LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON


def configure_logging(log_format: LogFormat, *, secrets: Iterable[str] = (), level: str = "INFO") -> None:
    """For the process, once at its start (again replaces). `secrets` are masked wherever they stand in a line.

    Tracebacks carry no local variables. Libraries are heard from WARNING on.
    """
    known = frozenset(secrets)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = StandardErrorHandler()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, *_rendering(log_format, known)],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("etl").setLevel(level)
    logging.captureWarnings(True)


class StandardErrorHandler(logging.Handler):
    """Writes to what sys.stderr is at the moment of the line: a live display puts itself there while it runs."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - neither a closed terminal nor a value that cannot be written ends a run
            self.handleError(record)


def _rendering(log_format: LogFormat, secrets: frozenset[str]) -> list[Processor]:
    def redact_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {name: value if name == "exc_info" else _redacted(name, value, secrets) for name, value in event.items()}

    if log_format is LogFormat.JSON:
        # values are masked one by one: masking the finished line could break its JSON
        return [structlog.processors.format_exc_info, redact_event, _render_json]

    console = ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback, pad_event_to=24)

    def render_console(logger: Any, method: str, event: EventDict) -> str:
        # the traceback is rendered here, so the finished text is masked once more
        return redact(str(console(logger, method, event)), secrets)

    return [redact_event, render_console]


def _redacted(name: str, value: Any, secrets: frozenset[str]) -> Any:
    return redact_value({name: value}, secrets)[name]


def _render_json(_logger: Any, _method: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # a whole number of more than 64 bits, which YAML has
        return json.dumps(event, default=str, ensure_ascii=False)
