"""The command line of the main job → one frozen value."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from etl.command.exits import Exit
from etl.config.destinations.registry import known_destinations, parse_destination
from etl.config.durations import parse_duration
from etl.config.limits import parse_limit
from etl.errors import UsageError
from etl.model import Destination
from etl.names import readable
from etl.redaction import redact

EPILOG = """\
exit codes: 0 everything loaded (or was unchanged), 1 a table or destination failed, 2 bad use or configuration,
75 not begun, since the run of this --idempotency-key is still under way, 130 interrupted (Ctrl-C, SIGTERM);
--resume RUN_ID does what is left of a run that ended with 1 or 130
"""


@dataclass(frozen=True)
class RunOptions:
    """What was asked for. Instants are UTC; `since` is inclusive, `until` exclusive; None leaves that side open."""

    load: bool = False
    destinations: tuple[Destination, ...] = ()
    tables: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    full_refresh: bool = False
    since: datetime | None = None
    until: datetime | None = None
    resume: str | None = None
    idempotency_key: str | None = None
    dry_run: bool = False
    parallelism: int | None = None
    lock_wait_seconds: float | None = None
    """For a table that another run is loading; None is `run.lock_timeout_seconds`."""
    validate: bool = True
    maximum_deleted: str | None = None
    maximum_rejected: str | None = None
    """Both in the place of every entry's own limit; None leaves those in force."""
    config_dir: Path | None = None
    log_format: str = "console"
    report: Path | None = None
    pushgateway: str | None = None
    metrics_file: Path | None = None

    def recorded(self) -> dict[str, object]:
        """What the ledger keeps, so that a resumed run does what this one was asked to."""
        return {
            "full_refresh": self.full_refresh,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "validate": self.validate,
            "config_dir": str(self.config_dir) if self.config_dir else None,
            "maximum_deleted": self.maximum_deleted,
            "maximum_rejected": self.maximum_rejected,
        }


PROGRAM = "run_etl.py"

LONGEST_KEY = 500
"""Characters, as the ledger checks."""


def parse_options(arguments: Sequence[str], program: str = PROGRAM) -> RunOptions:
    """Raises UsageError for what argparse cannot see; argparse itself exits with 2."""
    given = _parser(program).parse_args(list(arguments))
    for flag in ("load_destinations", "tables", "domains", "exclude"):
        _refuse_empty(flag, getattr(given, flag))
    destinations = _destinations(given.load_destinations)
    options = RunOptions(
        load=given.load or bool(destinations),
        destinations=destinations,
        tables=_names(given.tables),
        domains=_names(given.domains),
        exclude=_names(given.exclude),
        full_refresh=given.full_refresh,
        since=_instant("--since", given.since),
        until=_instant("--until", given.until),
        resume=given.resume,
        idempotency_key=given.idempotency_key,
        dry_run=given.dry_run,
        parallelism=given.parallelism,
        lock_wait_seconds=given.lock_wait,
        validate=given.validate,
        maximum_deleted=given.maximum_deleted,
        maximum_rejected=given.maximum_rejected,
        config_dir=given.config_dir,
        log_format=given.log_format,
        report=given.report,
        pushgateway=given.pushgateway,
        metrics_file=given.metrics_file,
    )
    _refuse_contradictions(options)
    return options


def job_flags() -> list[argparse.Action]:
    """Every flag but --help, for whoever shows them."""
    return [action for action in _parser(PROGRAM)._actions if action.dest != "help"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(Exit.USAGE, redact(f"{self.prog}: {message}\nTry '{self.prog} --help'.\n"))


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=program,
        description="Extract, transform and load the configured tables into a lake, PostgreSQL and ClickHouse.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--load", action="store_true", help="load into every configured destination; without it nothing is written")
    add(
        "--load-destinations",
        metavar="LIST",
        help=f"load into these: {_known_destinations()}",
    )
    add("--tables", metavar="LIST", help="only these tables, comma-separated")
    add("--domains", metavar="LIST", help="only the tables of these domains, comma-separated")
    add("--exclude", metavar="LIST", help="not these tables, comma-separated")
    add("--full-refresh", action="store_true", help="read every table whole, whatever the watermarks say")
    add("--since", metavar="TIME", help="read rows whose watermark is at or after TIME (UTC); moves no watermark back")
    add("--until", metavar="TIME", help="read rows whose watermark is before TIME (UTC)")
    add("--resume", metavar="RUN_ID", help="do what is left of an earlier run, up to its frozen upper marks")
    add(
        "--idempotency-key",
        type=_key,
        metavar="KEY",
        help="a name of your own for this run: asked for again by it, only what is left of the run is done",
    )
    add("--dry-run", action="store_true", help="print the plan (rows, DDL, targets) and write nothing")
    add("--parallelism", type=_positive, metavar="N", help="tables side by side (default: run.parallelism in etl.yaml)")
    add(
        "--lock-wait",
        type=_duration,
        metavar="TIME",
        help="how long to wait for a table that another run is loading, as 90s or 10m; 0 leaves it to that run "
        "(default: run.lock_timeout_seconds in etl.yaml)",
    )
    add(
        "--validate", action=argparse.BooleanOptionalAction, default=True, help="check keys and checksums in each store"
    )
    add(
        "--maximum-deleted",
        type=_limit,
        metavar="LIMIT",
        help="how many stored rows may have vanished from the source, as 100 or 50%%; 100%% accepts any (default: each "
        "entry's maximum_deleted)",
    )
    add(
        "--maximum-rejected",
        type=_limit,
        metavar="LIMIT",
        help="how many of the rows read may break a rule, likewise (default: each entry's maximum_rejected)",
    )
    add("--config-dir", type=Path, metavar="DIR", help="where etl.yaml and tables/ are (conf/)")
    add("--log-format", choices=("json", "console"), default="console", help="how events are written")
    add("--report", type=Path, metavar="FILE", help="write the run's result as JSON (docs/report.schema.json)")
    add(
        "--pushgateway",
        metavar="HOST:PORT",
        help="push the run's Prometheus metrics there at its end (docs/metrics.md)",
    )
    add(
        "--metrics-file",
        type=Path,
        metavar="FILE",
        help="write them there, for node_exporter's textfile collector (a name that ends with .prom)",
    )
    return parser


def _known_destinations() -> str:
    return ", ".join(
        f"{spec.name} ({', '.join(spec.aliases)})" if spec.aliases else spec.name
        for spec in known_destinations().values()
    )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def _key(text: str) -> str:
    if not 1 <= len(text) <= LONGEST_KEY or not text.isprintable():
        raise argparse.ArgumentTypeError(
            f"expected 1 to {LONGEST_KEY} printable characters, found {len(text)}: {readable(text[:40])!r}"
        )
    return text


def _duration(text: str) -> float:
    try:
        return parse_duration(float(text) if text.isdigit() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; found {text!r}") from error


def _limit(text: str) -> str:
    try:
        return parse_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _refuse_empty(flag: str, text: str | None) -> None:
    """An empty variable in a script must not turn into "everything" or "nothing"."""
    if text is not None and not _names(text):
        raise UsageError(f"--{flag.replace('_', '-')}: expected names, comma-separated, found {text!r}")


def _destinations(text: str | None) -> tuple[Destination, ...]:
    return tuple(dict.fromkeys(parse_destination(name) for name in _names(text)))


def _instant(flag: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{flag}: expected a date or time such as 2026-06-30 or 2026-06-30T12:00:00, found {text!r}"
        ) from error
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _refuse_contradictions(options: RunOptions) -> None:
    if options.since and options.until and options.since >= options.until:
        raise UsageError(f"expected --since before --until, found {options.since} and {options.until}")
    if options.full_refresh and (options.since or options.until):
        raise UsageError("--full-refresh reads every table whole; leave out --since and --until, or --full-refresh")
    narrowed = options.tables or options.domains or options.exclude
    if options.resume and (narrowed or options.full_refresh or options.since or options.until):
        raise UsageError("--resume does what its run was asked to; leave out tables, domains and time flags")
    if options.resume and options.dry_run:
        raise UsageError("--resume and --dry-run do not go together; plan a new run instead")
    if options.idempotency_key and (options.resume or options.dry_run):
        other = "--resume" if options.resume else "--dry-run"
        raise UsageError(
            f"--idempotency-key names a run that loads, and finds by itself what to resume; leave out {other}"
        )
