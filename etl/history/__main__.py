"""`etl history runs | tables | diff`: what the main job's runs did, from its ledger.

Exit codes: 0 done, 1 the server failed, 2 bad use or configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import run_tool, tool
from etl.command.logging import configure_logging, default_log_format
from etl.command.options import AsJson, ConfigDir
from etl.config.configuration import load_configuration
from etl.config.servers import secrets_of
from etl.config.settings import ledger_settings
from etl.errors import UsageError
from etl.history.differences import differences
from etl.history.rendering import difference_json, print_differences, print_runs, print_trends
from etl.ledger import Ledger
from etl.project import DEFAULT_CONFIG_DIR

app = tool(__doc__)


@app.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 20,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """The last runs: how they ended, how long they took, what they loaded."""
    with _opened(config_dir) as ledger:
        found = ledger.run_summaries(limit)
    if as_json:
        print_json(found)
    elif found:
        print_runs(found, table_console())
    else:
        print("no runs yet")


@app.command()
def tables(
    runs: Annotated[int, typer.Option(min=1, help="Over so many of the last runs.")] = 20,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the slowest first.")] = 20,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """The slowest tables of the last runs, and whether they have become slower."""
    with _opened(config_dir) as ledger:
        found = ledger.load_trends(runs, limit)
    if as_json:
        print_json(found)
    elif found:
        print_trends(found, table_console())
    else:
        print("no loads yet")


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the run before the last one.")] = None,
    after: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Default: the last one.")] = None,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """What is different between two runs: status, rows, and seconds where they differ by half and a second."""
    with _opened(config_dir) as ledger:
        old, new = _chosen(ledger, before, after)
        found = differences(ledger.loads(old), ledger.loads(new))
    if as_json:
        print_json({"before": old, "after": new, "loads": [difference_json(each) for each in found]})
        return
    print(f"{old} → {new}: " + (f"{len(found):,} loads differ" if found else "no load differs"))
    if found:
        print_differences(found, table_console())


def _chosen(ledger: Ledger, before: str | None, after: str | None) -> tuple[str, str]:
    known = [each.run_id for each in ledger.runs(2)]
    if before is None and len(known) < 2:
        raise UsageError(f"expected two runs to compare, found {len(known)} in the ledger")
    chosen = before or known[1], after or known[0]
    for each in chosen:
        if ledger.get_run(each) is None:
            raise UsageError(f"expected a run of the ledger, found {each!r}; `runs` shows the last ones")
    return chosen


@contextmanager
def _opened(config_dir: Path) -> Iterator[Ledger]:
    settings = load_configuration(config_dir).settings
    configure_logging(default_log_format(), secrets=secrets_of(settings))
    with closing(Ledger(ledger_settings(settings), secrets=secrets_of(settings))) as ledger:
        if not ledger.exists():
            raise UsageError("the ledger has no run yet: its tables are made by the first one")
        yield ledger


if __name__ == "__main__":
    run_tool(app, "python -m etl.history")
