import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.model import Destination
from etl.pipeline.options import RunOptions, parse_options

S3, POSTGRESQL, CLICKHOUSE = Destination.S3, Destination.POSTGRESQL, Destination.CLICKHOUSE


def test_nothing_given_loads_nothing_and_validates() -> None:
    assert parse_options([]) == RunOptions(
        load=False,
        destinations=(),
        tables=(),
        domains=(),
        exclude=(),
        full_refresh=False,
        since=None,
        until=None,
        resume=None,
        dry_run=False,
        parallelism=None,
        validate=True,
        config_dir=None,
        log_format="console",
        report=None,
    )


def test_every_flag_of_a_backfill() -> None:
    given = (
        "--load --load-destinations s3,postgresql,clickhouse --tables articles,authors --domains content"
        " --exclude tags --since 2026-06-01 --until 2026-07-01T12:00:00 --dry-run --parallelism 3"
        " --no-validate --config-dir my/conf --log-format json --report out/report.json"
    )
    assert parse_options(given.split()) == RunOptions(
        load=True,
        destinations=(S3, POSTGRESQL, CLICKHOUSE),
        tables=("articles", "authors"),
        domains=("content",),
        exclude=("tags",),
        since=datetime(2026, 6, 1, tzinfo=UTC),
        until=datetime(2026, 7, 1, 12, tzinfo=UTC),
        dry_run=True,
        parallelism=3,
        validate=False,
        config_dir=Path("my/conf"),
        log_format="json",
        report=Path("out/report.json"),
    )


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--load", RunOptions(load=True)),
        ("--full-refresh", RunOptions(full_refresh=True)),
        ("--dry-run", RunOptions(dry_run=True)),
        ("--validate", RunOptions(validate=True)),
        ("--no-validate", RunOptions(validate=False)),
        ("--resume=20261120T210733-ab12cd", RunOptions(resume="20261120T210733-ab12cd")),
        ("--idempotency-key=night/2026-11-20", RunOptions(idempotency_key="night/2026-11-20")),
        ("--log-format=console", RunOptions(log_format="console")),
    ],
)
def test_one_flag_changes_one_thing(flag: str, expected: RunOptions) -> None:
    assert parse_options([flag]) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("s3", (S3,)),
        ("minio", (S3,)),
        ("postgresql", (POSTGRESQL,)),
        ("postgres", (POSTGRESQL,)),
        ("clickhouse", (CLICKHOUSE,)),
        ("ch", (CLICKHOUSE,)),
        ("ch,s3", (CLICKHOUSE, S3)),
        ("s3,minio,ch,clickhouse", (S3, CLICKHOUSE)),
        (" s3 , postgres ,", (S3, POSTGRESQL)),
    ],
)
def test_destinations_have_aliases_imply_load_and_are_named_once(
    written: str, expected: tuple[Destination, ...]
) -> None:
    assert parse_options(["--load-destinations", written]) == RunOptions(load=True, destinations=expected)


def test_an_unknown_destination_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"^unknown destination 'clickhose'; .*clickhouse"):
        parse_options(["--load-destinations", "s3,clickhose"])


@pytest.mark.parametrize("flag", ["tables", "domains", "exclude"])
def test_lists_lose_spaces_blanks_and_repetitions(flag: str) -> None:
    assert parse_options([f"--{flag}", " one,, two ,one,"]) == RunOptions(**{flag: ("one", "two")})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-06-30", datetime(2026, 6, 30, tzinfo=UTC)),
        ("2026-06-30T12:30:00", datetime(2026, 6, 30, 12, 30, tzinfo=UTC)),
        ("2026-06-30T12:30:00Z", datetime(2026, 6, 30, 12, 30, tzinfo=UTC)),
        ("2026-06-30T12:30:00+02:00", datetime(2026, 6, 30, 10, 30, tzinfo=UTC)),
        ("2026-06-30 12:30:00.000001", datetime(2026, 6, 30, 12, 30, 0, 1, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("flag", ["since", "until"])
def test_times_are_utc_unless_they_say_otherwise(flag: str, written: str, expected: datetime) -> None:
    options = parse_options([f"--{flag}", written])
    instant = getattr(options, flag)
    assert options == RunOptions(**{flag: expected})  # type: ignore[arg-type]
    assert instant.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("flag", ["--since", "--until"])
def test_what_is_no_time_is_refused_with_the_flag_and_an_example(flag: str) -> None:
    expected = f"{flag}: expected a date or time such as 2026-06-30 or 2026-06-30T12:00:00, found 'yesterday'"
    with pytest.raises(UsageError, match=f"^{re.escape(expected)}$"):
        parse_options([flag, "yesterday"])


@pytest.mark.parametrize("until", ["2026-06-30", "2026-06-29", "2026-06-30T01:00:00+02:00"])
def test_since_must_come_before_until(until: str) -> None:
    with pytest.raises(
        UsageError, match=r"^expected --since before --until, found 2026-06-30 00:00:00\+00:00 and 2026-06"
    ):
        parse_options(["--since", "2026-06-30", "--until", until])


@pytest.mark.parametrize("flag", ["--since", "--until"])
def test_a_full_refresh_has_no_window(flag: str) -> None:
    with pytest.raises(UsageError, match=r"^--full-refresh reads every table whole; leave out --since and --until"):
        parse_options(["--full-refresh", flag, "2026-06-30"])


@pytest.mark.parametrize(
    "also",
    [
        ["--full-refresh"],
        ["--since", "2026-06-30"],
        ["--until", "2026-06-30"],
        ["--tables", "articles"],
        ["--domains", "content"],
    ],
)
def test_a_resumed_run_chooses_nothing_anew(also: list[str]) -> None:
    with pytest.raises(
        UsageError, match=r"^--resume does what its run was asked to; leave out tables, domains and time"
    ):
        parse_options(["--resume", "20261120T210733-ab12cd", *also])


def test_a_resumed_run_is_not_rehearsed() -> None:
    with pytest.raises(UsageError, match=r"^--resume and --dry-run do not go together"):
        parse_options(["--resume", "20261120T210733-ab12cd", "--dry-run"])


@pytest.mark.parametrize("other", [["--resume", "r1"], ["--dry-run"]])
def test_a_key_names_runs_that_load_and_finds_what_is_left_itself(other: list[str]) -> None:
    with pytest.raises(UsageError, match=rf"^--idempotency-key names a run that loads.*leave out {other[0]}$"):
        parse_options(["--idempotency-key", "night", *other])


def test_a_resumed_run_may_choose_how_it_runs_and_reports() -> None:
    given = "--resume r1 --parallelism 2 --no-validate --log-format json --report report.json --config-dir conf"
    assert parse_options(given.split()) == RunOptions(
        resume="r1",
        parallelism=2,
        validate=False,
        log_format="json",
        report=Path("report.json"),
        config_dir=Path("conf"),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--destinations", "s3"], "unrecognized arguments: --destinations s3"),
        (["--dest", "s3"], "unrecognized arguments: --dest s3"),
        (["--full"], "unrecognized arguments: --full"),
        (["articles"], "unrecognized arguments: articles"),
        (["--tables"], "argument --tables: expected one argument"),
        (["--log-format", "xml"], "argument --log-format: invalid choice: 'xml'"),
        (["--parallelism", "0"], "expected a whole number of at least 1, found '0'"),
        (["--parallelism", "-1"], "expected a whole number of at least 1, found '-1'"),
        (["--parallelism", "2.5"], "expected a whole number of at least 1, found '2.5'"),
        (["--parallelism", "many"], "expected a whole number of at least 1, found 'many'"),
        (["--idempotency-key", ""], "expected 1 to 500 printable characters, found 0: ''"),
        (["--idempotency-key", "two\nlines"], "expected 1 to 500 printable characters, found 9: 'two\\nlines'"),
        (["--idempotency-key", "n" * 501], "expected 1 to 500 printable characters, found 501: 'nnn"),
    ],
)
def test_what_argparse_refuses_ends_with_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse_options(arguments)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_help_names_every_flag_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse_options(["--help"])
    text = capsys.readouterr().out
    flags = set(re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE))
    assert exit_.value.code == 0
    assert flags == {
        "--load",
        "--load-destinations",
        "--tables",
        "--domains",
        "--exclude",
        "--full-refresh",
        "--since",
        "--until",
        "--resume",
        "--idempotency-key",
        "--dry-run",
        "--parallelism",
        "--lock-wait",
        "--validate",
        "--maximum-deleted",
        "--maximum-rejected",
        "--config-dir",
        "--log-format",
        "--report",
        "--pushgateway",
        "--metrics-file",
    }
    assert "exit codes: 0 everything loaded (or was unchanged), 1 a table or destination failed, 2 bad use" in text


@pytest.mark.parametrize(("written", "seconds"), [("0", 0), ("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_a_wait_is_a_duration(written: str, seconds: float) -> None:
    assert parse_options(["--load", "--lock-wait", written]).lock_wait_seconds == seconds


@pytest.mark.parametrize("written", ["", "-1", "soon", "1w", "nan"])
def test_no_other_wait_is_taken(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse_options(["--load", f"--lock-wait={written}"])
    assert refused.value.code == 2
    assert (
        f"--lock-wait: expected a duration: 10s, 5m, 2h, 1d, or a number of seconds; found {written!r}"
        in capsys.readouterr().err
    )


def test_what_the_ledger_keeps_is_what_a_resumed_run_needs() -> None:
    command = "--load --since 2026-06-01 --until 2026-07-01T12:00:00+02:00 --no-validate --maximum-rejected 5"
    options = parse_options([*command.split(), "--config-dir", "my conf"])
    assert options.recorded() == {
        "full_refresh": False,
        "since": "2026-06-01T00:00:00+00:00",
        "until": "2026-07-01T10:00:00+00:00",
        "validate": False,
        "config_dir": "my conf",
        "maximum_deleted": None,
        "maximum_rejected": "5",
    }
    assert parse_options(["--full-refresh"]).recorded() == {
        "full_refresh": True,
        "since": None,
        "until": None,
        "validate": True,
        "config_dir": None,
        "maximum_deleted": None,
        "maximum_rejected": None,
    }
