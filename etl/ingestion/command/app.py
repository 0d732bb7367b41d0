"""CSV and Parquet files into PostgreSQL.

Exit codes: 0 all loaded, 1 some files failed (the others are loaded), 2 bad use or no database (nothing was touched),
130 and 143 ended by Ctrl-C or SIGTERM (what had committed stays; --resume goes on from there).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from etl.command.edge import Tool, run_tool, tool
from etl.config.limits import LONGEST_STATEMENT_SECONDS
from etl.ingestion.command import commands
from etl.ingestion.command.spelling import files_first, spelled_out

SWITCHES = {
    "--preserve-types": "--no-preserve-types",
    "--dry-run": "--no-dry-run",
    "--resume": "--no-resume",
    "--restart": "--no-restart",
    "--tolerant": "--no-tolerant",
    "--no-header": "--header",
    "--strict-decimals": "--no-strict-decimals",
    "--whole-floats": "--no-whole-floats",
    "--advance-sequences": "--no-advance-sequences",
    "--create-table": "--no-create-table",
    "--json": "--no-json",
}
"""Each switch and what turns it off: `--dry-run false` is spelled out as the latter."""


class Uploader(Tool):
    """Switches take a value and --files several, which typer knows nothing of."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if parent is not None:  # `etl upload`
            args = files_first(args, self.commands)
        return super().make_context(info_name, spelled_out(args, SWITCHES, ("--files",)), parent, **extra)


app = tool(__doc__, cls=Uploader)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script `uploader`; ends the process."""
    run_tool(app, "uploader", arguments)


def _text(panel: str, metavar: str, text: str, *names: str) -> Any:
    """All texts are read by etl.ingestion.command.options, which tells every fault at once."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel)


def _switch(panel: str, name: str, text: str) -> Any:
    return typer.Option(f"{name}/{SWITCHES[name]}", help=text, rich_help_panel=panel)


WHAT, HOW, CSV, TYPES, CONNECTION, OUTPUT = "What and where", "How", "CSV", "Types and values", "Connection", "Output"

Files = Annotated[list[str] | None, _text(WHAT, "FILE…", "Files and patterns such as 'data/**/*.csv'; several.")]
FileType = Annotated[str, _text(WHAT, "csv|parquet", "Default: by each file's name; .gz, .bz2, .zst aside.")]
Table = Annotated[str, _text(WHAT, "[SCHEMA.]NAME", "The target.")]
Headers = Annotated[str, _text(WHAT, "NAME[:TYPE],…", "The columns to load, such as id:bigint,name,due:numeric(10,2).")]
Key = Annotated[str, _text(WHAT, "NAME,…", "The key, which upsert needs.")]
Mode = Annotated[str, _text(WHAT, "upsert|append", "Rows that are there: rewrite where they differ, or only add.")]
DedupOrder = Annotated[str, _text(WHAT, "NAME [desc],…", "Of rows with one key, the stored one too, the first stays.")]
CreateTable = Annotated[bool, _switch(WHAT, "--create-table", "Create a target that is missing.")]

ChunkSize = Annotated[str, _text(HOW, "ROWS", "Rows of a batch, which is a transaction.")]
Concurrency = Annotated[str, _text(HOW, "N", "Workers, each with a connection.")]
MaxRetries = Annotated[str, _text(HOW, "N", "Of a batch, after errors that may pass.")]
DryRun = Annotated[bool, _switch(HOW, "--dry-run", "Read and check everything, write nothing.")]
Resume = Annotated[bool, _switch(HOW, "--resume", "Skip what is loaded, go on with what was broken off.")]
Restart = Annotated[bool, _switch(HOW, "--restart", "Append a file that was broken off from its start, all of it.")]
Rejects = Annotated[str, _text(HOW, "fail|reject", "Bad rows: the file fails, or they are kept aside with a reason.")]
MaximumRejected = Annotated[str, _text(HOW, "ROWS|SHARE%", "Of a file: more bad rows, and none of it is loaded.")]
RunId = Annotated[str, _text(HOW, "TEXT", "Default: made up.")]
Copy = Annotated[str, _text(HOW, "auto|records", "records: never the fast paths.")]
AdvanceSequences = Annotated[bool, _switch(HOW, "--advance-sequences", "At the end, past the greatest value loaded.")]

Delimiter = Annotated[str, _text(CSV, "CHARACTER", "Also tab, semicolon, pipe.")]
Quotechar = Annotated[str, _text(CSV, "CHARACTER", "Doubled inside quotes.")]
Encoding = Annotated[str, _text(CSV, "NAME", "Never guessed.")]
Null = Annotated[str, _text(CSV, "TEXT", "What stands for NULL, unquoted. Default: nothing at all.")]
NoHeader = Annotated[bool, _switch(CSV, "--no-header", "The first line is data; columns by position.")]
Tolerant = Annotated[bool, _switch(CSV, "--tolerant", "Fill up short rows; take files that lack a column.")]
TolerantMode = Annotated[str, _text(CSV, "null|empty", "With what.")]

PreserveTypes = Annotated[bool, _switch(TYPES, "--preserve-types", "Types of the file and of --headers, not TEXT.")]
Timezone = Annotated[str, _text(TYPES, "NAME", "Of instants without one, such as Europe/Vienna.")]
StrictDecimals = Annotated[bool, _switch(TYPES, "--strict-decimals", "Refuse decimals that would be rounded.")]
WholeFloats = Annotated[bool, _switch(TYPES, "--whole-floats", "Take 1.0 for 1 in CSV columns of whole numbers.")]
NulCharacters = Annotated[str, _text(TYPES, "error|strip|replace", "U+0000, which PostgreSQL cannot hold.")]

DsnText = Annotated[str, _text(CONNECTION, "URL", "Better: ETL_UPLOADER_DSN, or PGHOST and its kin.")]
DsnFile = Annotated[str, _text(CONNECTION, "FILE", "That holds the URL.")]
LockTimeout = Annotated[str, _text(CONNECTION, "SECONDS", "0: wait for ever.")]
StatementTimeout = Annotated[str, _text(CONNECTION, "SECONDS", "0: no limit.")]
ConnectTimeout = Annotated[str, _text(CONNECTION, "SECONDS", "For each attempt.")]

AsJson = Annotated[bool, _switch(OUTPUT, "--json", "Print JSON instead of tables.")]
LogFormat = Annotated[str, _text(OUTPUT, "json|console", "Default: console on a terminal, else json; to stderr.")]
MetricsPort = Annotated[str, _text(OUTPUT, "PORT", "Serve Prometheus metrics while it runs.")]
Pushgateway = Annotated[str, _text(OUTPUT, "HOST:PORT", "Push the metrics there at the end.")]
ConfigDir = Annotated[str, _text(OUTPUT, "FOLDER", "With an etl.yaml, whose `alerts` say who is told of what.")]
MetricsTextfile = Annotated[str, _text(OUTPUT, "FILE", "Write the metrics there at the end.")]


@app.command()
def load(
    context: typer.Context,
    files: Files = None,
    file_type: FileType = "",
    table: Table = "",
    headers: Headers = "",
    pk: Key = "",
    mode: Mode = "upsert",
    dedup_order_by: DedupOrder = "",
    create_table: CreateTable = True,
    chunk_size: ChunkSize = "50000",
    concurrency: Concurrency = "4",
    max_retries: MaxRetries = "3",
    dry_run: DryRun = False,
    resume: Resume = False,
    restart: Restart = False,
    rejects: Rejects = "fail",
    maximum_rejected: MaximumRejected = "",
    run_id: RunId = "",
    copy: Copy = "auto",
    advance_sequences: AdvanceSequences = False,
    delimiter: Delimiter = ",",
    quotechar: Quotechar = '"',
    encoding: Encoding = "utf-8",
    null: Null = "",
    no_header: NoHeader = False,
    tolerant: Tolerant = False,
    tolerant_mode: TolerantMode = "null",
    preserve_types: PreserveTypes = False,
    timezone: Timezone = "",
    strict_decimals: StrictDecimals = False,
    whole_floats: WholeFloats = False,
    nul_characters: NulCharacters = "error",
    dsn: DsnText = "",
    dsn_file: DsnFile = "",
    lock_timeout: LockTimeout = "30",
    statement_timeout: StatementTimeout = str(LONGEST_STATEMENT_SECONDS),
    connect_timeout: ConnectTimeout = "10",
    json: AsJson = False,
    log_format: LogFormat = "",
    metrics_port: MetricsPort = "",
    pushgateway: Pushgateway = "",
    metrics_textfile: MetricsTextfile = "",
    config_dir: ConfigDir = "",
) -> int:
    """Load files into a table; switches take true or false as well (--resume, --resume false)."""
    return commands.load_files(context.params, os.environ)


@app.command("retry-failed")
def retry_failed(
    context: typer.Context,
    table: Table = "",
    run_id: RunId = "",
    dsn: DsnText = "",
    dsn_file: DsnFile = "",
    connect_timeout: ConnectTimeout = "10",
    json: AsJson = False,
    log_format: LogFormat = "",
    metrics_port: MetricsPort = "",
    pushgateway: Pushgateway = "",
    metrics_textfile: MetricsTextfile = "",
    config_dir: ConfigDir = "",
) -> int:
    """Load a table's failed and unfinished files once more, with the options that they were loaded with."""
    return commands.retry_failed_files(context.params, os.environ)


@app.command()
def status(
    context: typer.Context,
    table: Annotated[str, _text(WHAT, "[SCHEMA.]NAME", "Only this target's.")] = "",
    run_id: Annotated[str, _text(WHAT, "TEXT", "Only this run's.")] = "",
    status: Annotated[str, _text(WHAT, "pending|success|failed", "Only these.")] = "",
    file: Annotated[str, _text(WHAT, "FILE", "Only this one, with its rejected rows.")] = "",
    dsn: DsnText = "",
    dsn_file: DsnFile = "",
    connect_timeout: ConnectTimeout = "10",
    json: AsJson = False,
    log_format: LogFormat = "",
) -> int:
    """Show what the manifest holds: files, rows, when, and why one failed."""
    return commands.show_status(context.params, os.environ)


@app.command()
def init(
    context: typer.Context,
    table: Annotated[str, _text(WHAT, "[SCHEMA.]NAME", "For the grants that are printed.")] = "",
    role: Annotated[str, _text(WHAT, "NAME", "For the grants that are printed.")] = "uploader",
    dsn: DsnText = "",
    dsn_file: DsnFile = "",
    connect_timeout: ConnectTimeout = "10",
    log_format: LogFormat = "",
) -> int:
    """Create the manifest's tables and print the grants for a role that may do no more than load."""
    return commands.set_up_database(context.params, os.environ)


if __name__ == "__main__":
    main()
