"""What a run is to do, with a ledger that knows what it is told and nothing else."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.errors import NotYetError, UsageError
from etl.ledger.ledger import Ledger
from etl.ledger.values import FrozenWindow, LoadRecord, LoadState, Run
from etl.model import Destination, Maintenance, RunStatus
from etl.pipeline.assignment import (
    Assignment,
    Lineage,
    new_assignment,
    requested_assignment,
    resumed_assignment,
    resumed_options,
)
from etl.pipeline.context import Work
from etl.pipeline.maintenance import Upkeep
from etl.pipeline.options import RunOptions

S3, POSTGRESQL, CLICKHOUSE = Destination.S3, Destination.POSTGRESQL, Destination.CLICKHOUSE
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER = Run("r1", 1, RunStatus.PARTIAL, (S3, CLICKHOUSE), ("one", "two"), {}, None, None, NOON, NOON, NOON)
TABLES = """\
defaults:
  kind: reference
  key: id
  source: {type: file, format: csv, path: "{table}.csv", columns: {id: bigint}}
tables:
  one: {}
  two:
    clickhouse: {enabled: false}
  three:
    enabled: false
"""


@dataclass
class KnownRuns:
    """The questions that resuming asks."""

    known: tuple[Run, ...] = (EARLIER,)
    loads_of: dict[str, list[LoadRecord]] = field(default_factory=dict)
    frozen_of: dict[str, dict[str, FrozenWindow]] = field(default_factory=dict)

    def get_run(self, run_id: str) -> Run | None:
        return next((run for run in self.known if run.run_id == run_id), None)

    def run_of_key(self, idempotency_key: str) -> Run | None:
        return next((run for run in self.known if run.idempotency_key == idempotency_key), None)

    def runs(self, limit: int = 20) -> list[Run]:
        return list(self.known[:limit])

    def loads(self, run_id: str) -> list[LoadRecord]:
        return self.loads_of.get(run_id, [])

    def frozen_tables(self, run_id: str) -> dict[str, FrozenWindow]:
        return self.frozen_of.get(run_id, {})


def record(table: str, destination: Destination, status: LoadState, **known: Any) -> LoadRecord:
    facts: dict[str, Any] = dict.fromkeys(LoadRecord.__dataclass_fields__)
    own = {"run_id": "r1", "table_name": table, "destination": destination, "status": status}
    return LoadRecord(**facts | own | known)


def resume(configuration: Configuration, ledger: KnownRuns, run_id: str = "r1") -> Assignment:
    return resumed_assignment(configuration, cast(Ledger, ledger), run_id)


def names_of(assignment: Assignment) -> dict[str, tuple[Destination, ...]]:
    return {work.table.name: work.destinations for work in assignment.work}


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "shop.yaml").write_text(TABLES)
    return load_configuration(tmp_path, {})


def test_every_table_goes_into_every_destination_that_its_entry_leaves_on(configuration: Configuration) -> None:
    assignment = new_assignment(configuration.select(), (CLICKHOUSE, S3))
    one, two = configuration.table("one"), configuration.table("two")
    assert assignment == Assignment((Work(one, (CLICKHOUSE, S3)), Work(two, (S3,))), (CLICKHOUSE, S3))


def test_a_table_that_no_destination_takes_is_no_work(configuration: Configuration) -> None:
    assert new_assignment(configuration.select(["two", "three"]), (CLICKHOUSE,)) == Assignment((), (CLICKHOUSE,))


def test_no_table_is_no_work() -> None:
    assert new_assignment((), (S3,)) == Assignment((), (S3,))


def test_resuming_takes_up_all_that_was_not_published(configuration: Configuration) -> None:
    loads = [
        record("one", S3, LoadState.SUCCESS),
        record("one", POSTGRESQL, LoadState.FAILED),
        record("one", CLICKHOUSE, LoadState.RUNNING),
        record("two", S3, LoadState.PENDING),
        record("two", POSTGRESQL, LoadState.UNCHANGED),
        record("three", S3, LoadState.SKIPPED),
    ]
    assignment = resume(configuration, KnownRuns(loads_of={"r1": loads}))
    one, two = configuration.table("one"), configuration.table("two")
    assert assignment == Assignment(
        (Work(one, (POSTGRESQL, CLICKHOUSE)), Work(two, (S3,))), (S3, POSTGRESQL, CLICKHOUSE), Lineage((EARLIER,))
    )


def test_resuming_names_only_destinations_that_are_left(configuration: Configuration) -> None:
    loads = [record("one", S3, LoadState.SUCCESS), record("one", CLICKHOUSE, LoadState.FAILED)]
    assignment = resume(configuration, KnownRuns(loads_of={"r1": loads}))
    assert (names_of(assignment), assignment.destinations) == ({"one": (CLICKHOUSE,)}, (CLICKHOUSE,))


def test_a_finished_run_leaves_nothing_to_resume(configuration: Configuration) -> None:
    loads = [record("one", S3, LoadState.SUCCESS)]
    assignment = resume(configuration, KnownRuns(loads_of={"r1": loads}))
    assert assignment == Assignment((), (), Lineage((EARLIER,)))


def test_a_resumed_run_that_was_resumed_itself_is_heir_to_all_before_it(configuration: Configuration) -> None:
    """The second run died before it came to `two`: what the first had begun there is still to be asked for."""
    second = replace(EARLIER, run_id="r2", resumed_from="r1")
    first_begun = record("two", S3, LoadState.FAILED, target="two", error_class="Interrupted")
    second_begun = record("one", S3, LoadState.FAILED, target="one", run_id="r2", error_class="Interrupted")
    ledger = KnownRuns(
        (second, EARLIER),
        loads_of={
            "r1": [
                record("one", S3, LoadState.FAILED, target="one"),
                record("one", CLICKHOUSE, LoadState.SUCCESS, target="one"),
                first_begun,
            ],
            "r2": [second_begun, record("two", S3, LoadState.PENDING, run_id="r2")],
        },
        frozen_of={
            "r1": {"one": FrozenWindow(None, "5", None, 5), "two": FrozenWindow(None, "7", None, 7)},
            "r2": {"one": FrozenWindow("3", "5", None, 2)},
        },
    )
    assignment = resume(configuration, ledger, "r2")
    assert names_of(assignment) == {"one": (S3,), "two": (S3,)}
    lineage = assignment.lineage
    assert lineage is not None and [run.run_id for run in lineage.runs] == ["r2", "r1"]
    assert (lineage.begun["one", S3], lineage.begun["two", S3]) == (second_begun, first_begun)
    assert lineage.frozen == {"one": FrozenWindow("3", "5", None, 2), "two": FrozenWindow(None, "7", None, 7)}


def test_a_resumed_run_that_died_before_it_planned_anything_leaves_all(configuration: Configuration) -> None:
    second = replace(EARLIER, run_id="r2", resumed_from="r1")
    ledger = KnownRuns((second, EARLIER), loads_of={"r1": [record("one", S3, LoadState.FAILED)]})
    assert names_of(resume(configuration, ledger, "r2")) == {"one": (S3,)}


def test_an_unknown_run_is_refused_with_the_latest_ones(configuration: Configuration) -> None:
    known = tuple(replace(EARLIER, run_id=f"r{number}") for number in range(9, 0, -1))
    with pytest.raises(
        UsageError, match=r"^--resume: expected a run of the ledger, found 'r0'; the latest are r9, r8, r7, r6, r5$"
    ):
        resume(configuration, KnownRuns(known), "r0")


def test_an_unknown_run_in_an_empty_ledger(configuration: Configuration) -> None:
    with pytest.raises(UsageError, match=r"found 'r1'; the latest are none$"):
        resume(configuration, KnownRuns(()))


def test_a_run_that_is_still_alive_is_not_resumed(configuration: Configuration) -> None:
    alive = replace(EARLIER, status=RunStatus.RUNNING, finished_at=None)
    with pytest.raises(UsageError, match=r"^--resume: run r1 is still alive; wait until it has finished, or stop it$"):
        resume(configuration, KnownRuns((alive,)))


def test_a_table_that_the_configuration_no_longer_has(configuration: Configuration) -> None:
    loads = [record("ones", S3, LoadState.FAILED)]
    with pytest.raises(UsageError, match=r"^unknown table 'ones'; .*one"):
        resume(configuration, KnownRuns(loads_of={"r1": loads}))


NIGHT = RunOptions(load=True, idempotency_key="night")


def request(
    configuration: Configuration, ledger: KnownRuns, options: RunOptions = NIGHT, tables: tuple[str, ...] = ()
) -> Assignment:
    return requested_assignment(cast(Ledger, ledger), options, configuration.select(tables), (S3, CLICKHOUSE))


def keyed(**known: Any) -> Run:
    return replace(EARLIER, options=NIGHT.recorded(), idempotency_key="night", **known)


def test_a_key_that_no_run_has_begins_anew(configuration: Configuration) -> None:
    anew = new_assignment(configuration.select(), (S3, CLICKHOUSE))
    assert request(configuration, KnownRuns((EARLIER,))) == anew
    assert request(configuration, KnownRuns((keyed(),)), RunOptions(load=True)) == anew, "no key at all"


def test_of_a_key_what_its_runs_have_published_is_left_out(configuration: Configuration) -> None:
    """`two` came to the configuration after the first run."""
    begun = record("one", CLICKHOUSE, LoadState.FAILED, target="one")
    ledger = KnownRuns(
        (keyed(),),
        loads_of={"r1": [record("one", S3, LoadState.UNCHANGED), begun]},
        frozen_of={"r1": {"one": FrozenWindow(None, "5", None, 5)}},
    )
    assignment = request(configuration, ledger)
    assert names_of(assignment) == {"one": (CLICKHOUSE,), "two": (S3,)}
    assert assignment.lineage == Lineage((keyed(),), {("one", CLICKHOUSE): begun}, ledger.frozen_of["r1"])
    only_two = request(configuration, ledger, tables=("two",))
    assert (names_of(only_two), only_two.destinations) == ({"two": (S3,)}, (S3,))


def test_a_key_is_done_where_its_run_has_succeeded_with_all_that_is_asked_for(configuration: Configuration) -> None:
    loads = [record("one", S3, LoadState.SUCCESS), record("one", CLICKHOUSE, LoadState.SKIPPED)]

    def done_by(status: RunStatus, *tables: str) -> Run | None:
        ledger = KnownRuns((keyed(status=status),), loads_of={"r1": loads})
        return request(configuration, ledger, tables=tables).done_by

    assert done_by(RunStatus.SUCCESS, "one") == keyed(status=RunStatus.SUCCESS)
    assert done_by(RunStatus.SUCCESS, "one", "two") is None
    assert done_by(RunStatus.PARTIAL, "one") is None, "it broke off before its end"
    assert new_assignment((), (S3,)).done_by is None


def test_a_key_whose_run_is_still_alive_is_not_begun_yet(configuration: Configuration) -> None:
    alive = keyed(status=RunStatus.RUNNING, finished_at=None)
    with pytest.raises(NotYetError, match=r"^--idempotency-key: its run r1 is still alive; wait until"):
        request(configuration, KnownRuns((alive,)))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            {"since": NOON},
            r"expected --since as its run r1 had it \(none\), found 2026-11-20T12:00:00\+00:00; give anoth",
        ),
        (
            {"full_refresh": True},
            r"expected --full-refresh as its run r1 had it \(none\), found True; give another key",
        ),
    ],
)
def test_a_key_stands_for_the_same_rows(configuration: Configuration, others: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        request(configuration, KnownRuns((keyed(),)), replace(NIGHT, **others))


def test_a_key_may_come_with_other_limits_and_ways_to_run(configuration: Configuration) -> None:
    others = replace(NIGHT, maximum_rejected="100%", validate=False, parallelism=1)
    assert request(configuration, KnownRuns((keyed(),)), others).lineage == Lineage((keyed(),))


def test_a_resumed_run_reads_what_its_run_read_and_reports_as_it_is_told() -> None:
    asked = RunOptions(since=NOON, until=NOON.replace(day=21), full_refresh=False)
    earlier = replace(EARLIER, options=asked.recorded())
    given = RunOptions(resume="r1", parallelism=2, log_format="json", report=Path("report.json"))
    assert resumed_options(given, earlier) == replace(given, since=NOON, until=NOON.replace(day=21))


def test_a_resumed_full_refresh_is_one() -> None:
    earlier = replace(EARLIER, options=RunOptions(full_refresh=True).recorded())
    assert resumed_options(RunOptions(resume="r1"), earlier) == RunOptions(resume="r1", full_refresh=True)


@pytest.mark.parametrize(
    ("earlier_validates", "now_validates", "expected"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_a_resumed_run_validates_where_neither_said_no(
    earlier_validates: bool, now_validates: bool, expected: bool
) -> None:
    earlier = replace(EARLIER, options=RunOptions(validate=earlier_validates).recorded())
    given = RunOptions(resume="r1", validate=now_validates)
    assert resumed_options(given, earlier) == replace(given, validate=expected)


def test_a_run_that_recorded_nothing_is_resumed_plainly() -> None:
    assert resumed_options(RunOptions(resume="r1"), EARLIER) == RunOptions(resume="r1")


MAINTAINED = TABLES.replace("one: {}", "one: {s3: {format: delta, maintenance: weekly}}")


def test_upkeep_is_of_what_a_run_loads_and_of_what_its_forerunners_loaded(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "shop.yaml").write_text(MAINTAINED)
    configuration = load_configuration(tmp_path, {})
    one = configuration.table("one")
    upkeep = (Upkeep("one", S3, one.loads[S3]),)
    assert new_assignment(configuration.select(), (CLICKHOUSE, S3)).upkeep == upkeep
    assert new_assignment(configuration.select(), (CLICKHOUSE,)).upkeep == ()
    loads = [record("one", S3, LoadState.SUCCESS), record("two", S3, LoadState.SUCCESS)]
    resumed = resume(configuration, KnownRuns(loads_of={"r1": loads}))
    assert (resumed.work, resumed.destinations, resumed.upkeep) == ((), (S3,), upkeep)


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        ("format: delta, maintenance: weekly", Maintenance.WEEKLY),
        ("format: delta", Maintenance.NEVER),
        ("format: parquet, maintenance: after_run", Maintenance.NEVER),
    ],
)
def test_plain_files_that_stay_need_no_upkeep(tmp_path: Path, options: str, schedule: Maintenance) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "shop.yaml").write_text(TABLES.replace("one: {}", f"one: {{s3: {{{options}}}}}"))
    assert load_configuration(tmp_path, {}).table("one").loads[S3].effective_maintenance is schedule
