"""The command line: flags as documented, faults before anything else, and what it prints of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from etl.errors import UsageError
from etl.ingestion.command import app as cli
from etl.ingestion.command import commands
from etl.ingestion.command.options import Reader
from etl.ingestion.model import BadRows, CopyPath, Header, Mode, NulCharacters, OrderColumn, TolerantMode, UploadOptions
from etl.project import PROJECT_DIR

HUSH = "postgresql://u:hushhush@localhost/d"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Mapping[str, Any]]:
    """What `load` was called with; nothing is loaded."""
    calls: list[Mapping[str, Any]] = []
    monkeypatch.setattr(commands, "load_files", lambda raw, _: calls.append(dict(raw)) or 0)
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv", "c.parquet"):
        (tmp_path / name).touch()
    return calls


def options_of(given: list[Mapping[str, Any]], line: str, *more: str) -> UploadOptions:
    with pytest.raises(SystemExit) as ended:
        cli.main([*line.split(), *more])
    assert ended.value.code == 0
    reader = Reader(given[-1])
    options = reader.checked_options()
    assert reader.faults == []
    return options


def test_defaults(given: list[Mapping[str, Any]]) -> None:
    options = options_of(given, "load --files a.csv --table t --headers id,name --pk id")
    assert options == UploadOptions(
        files=("a.csv",), table="t", headers=(Header("id"), Header("name")), primary_key=("id",)
    )
    assert (options.chunk_size, options.concurrency, options.max_retries) == (50_000, 4, 3)
    assert (options.preserve_types, options.dry_run, options.resume) == (False, False, False)


def test_the_documented_example(given: list[Mapping[str, Any]]) -> None:
    line = "load --files *.parquet --file-type parquet --table my_table --pk id --headers id,name,cpf"
    line += " --chunk-size 50000 --concurrency 4 --mode upsert --dry-run false --preserve-types true --max-retries 4"
    options = options_of(given, line)
    assert options.files == ("c.parquet",)
    assert (options.dry_run, options.preserve_types, options.max_retries) == (False, True, 4)


def test_no_statement_lasts_for_ever_by_default(given: list[Mapping[str, Any]]) -> None:
    options = options_of(given, "load --files a.csv --table t --headers id --mode append")
    assert options.statement_timeout_seconds == UploadOptions.statement_timeout_seconds == 4 * 3600


def test_every_flag_has_its_place(given: list[Mapping[str, Any]]) -> None:
    options = options_of(
        given,
        "load --files a.csv b.csv --table s.t --headers id:bigint,at:timestamptz --pk id --mode upsert"
        " --chunk-size 100 --concurrency 2 --max-retries 0 --dry-run --resume --tolerant --tolerant-mode empty"
        " --delimiter tab --quotechar ' --encoding latin-1 --no-header --file-type csv --rejects reject"
        " --maximum-rejected 5%"
        " --nul-characters strip --timezone UTC --strict-decimals --copy records --advance-sequences"
        " --create-table false --run-id r-1 --lock-timeout 5 --statement-timeout 60 --connect-timeout 7 --null NULL",
        "--dedup-order-by",
        "at desc,id",
    )
    assert options.files == ("a.csv", "b.csv")
    assert (options.table, options.mode, options.chunk_size, options.concurrency) == ("s.t", Mode.UPSERT, 100, 2)
    assert (options.max_retries, options.dry_run, options.resume, options.create_table) == (0, True, True, False)
    csv = options.csv
    assert (csv.delimiter, csv.quotechar, csv.encoding, csv.null) == ("\t", "'", "latin-1", "NULL")
    assert (csv.has_header, csv.tolerant, csv.nul_characters) == (False, TolerantMode.EMPTY, NulCharacters.STRIP)
    assert options.dedup_order_by == (OrderColumn("at", True), OrderColumn("id", False))
    assert (options.bad_rows, options.maximum_rejected) == (BadRows.REJECT, "5%")
    assert (options.copy_path, options.timezone) == (CopyPath.RECORDS, "UTC")
    assert (options.strict_decimals, options.advance_sequences, options.run_id) == (True, True, "r-1")
    assert (options.lock_timeout_seconds, options.statement_timeout_seconds) == (5, 60)
    assert options.connect_timeout_seconds == 7


@pytest.mark.parametrize("switch", sorted(set(cli.SWITCHES) - {"--json", "--restart"}))
def test_a_switch_is_bare_true_or_false(switch: str, given: list[Mapping[str, Any]]) -> None:
    base = "load --files a.csv --table t --headers id --pk id "
    name = switch.removeprefix("--").replace("-", "_")
    for spelling, expected in (("", True), (" true", True), ("=true", True), (" false", False), ("=false", False)):
        options_of(given, base + switch + spelling)
        assert given[-1][name] is expected


def test_what_every_switch_is_called_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["load", "--help"])
    told = capsys.readouterr().out
    for flag in ("--files", "--table", "--pk", "--headers", "--chunk-size", "--tolerant-mode", "--pushgateway"):
        assert flag in told


def test_the_manual_names_every_flag_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    manual = (PROJECT_DIR / "docs" / "uploader.md").read_text(encoding="utf-8")
    known = {*cli.SWITCHES, *cli.SWITCHES.values()}
    for command in cli.app.registered_commands:
        names = command.callback.__annotations__ if command.callback else {}
        known |= {f"--{name.replace('_', '-')}" for name in names if name not in ("context", "return")}
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", manual))
    opposites = set(cli.SWITCHES.values())
    foreign = {"--uploader", "--detach", "--wait"}  # of scripts/setup.sh and docker
    assert known - opposites - told == set()
    assert told - known - foreign == set()


def test_faults_are_told_together(given: list[Mapping[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["load", "--chunk-size", "x", "--mode", "y", "--files", "nope*"])
    reader = Reader(given[-1])
    reader.checked_options()
    with pytest.raises(UsageError) as caught:
        reader.refuse()
    told = str(caught.value)
    for flag in ("--chunk-size 'x'", "--mode 'y'", "--files 'nope*'", "--table is", "--headers is", "--pk is"):
        assert flag in told


@pytest.mark.parametrize(
    "line", [f"load {HUSH}", f"load --files a.csv {HUSH} --nope", f"{HUSH}", f"load --dry-run={HUSH}"]
)
def test_a_misplaced_address_is_masked(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert "hushhush" not in told.out + told.err


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert "retry-failed" in told.out
    assert told.err == ""
