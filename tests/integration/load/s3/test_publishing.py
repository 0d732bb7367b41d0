"""Killed loads, lost attempts, other runs' staging: no row is lost, none is doubled, the next run clears up."""

from __future__ import annotations

import pytest

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig, S3Writer
from etl.errors import ConnectionLostError, ValidationError
from etl.load.executors import Attempt
from etl.load.s3.driver import files as driver_files
from etl.load.s3.files import staged
from etl.load.s3.files import table as file_table
from etl.load.s3.files.exchange import Publication
from etl.load.s3.files.partition import files_of, write_files
from etl.s3.store import ObjectStore
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import NEW_TWO, ONE, THREE, TWO, counts

pytestmark = pytest.mark.stack


class Killed(BaseException):
    """Stands for SIGKILL: no clean-up runs after it (see `kill`)."""


def kill(monkeypatch: pytest.MonkeyPatch, method: str, *, after: bool) -> None:
    """Ends a load before or after one step of its publication, without the clean-up that a mere failure gets."""
    step = getattr(Publication, method)

    def killed(self: Publication, *arguments: object) -> None:
        if after:
            step(self, *arguments)
        raise Killed

    monkeypatch.setattr(Publication, method, killed)
    monkeypatch.setattr(Publication, "withdraw", lambda self: None)


def pending(lake: Lake, config: S3TableLoadConfig) -> list[str]:
    return [upload.key for upload in lake.store.pending_uploads(lake.path(config).prefix)]


@pytest.mark.parametrize("after", [False, True])
def test_killed_around_showing_the_new_files(lake: Lake, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    config = lake.config()
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    with monkeypatch.context() as patch:
        kill(patch, "show", after=after)
        with pytest.raises(Killed):
            lake.loader("run-2").load(lake.frame(ONE, NEW_TWO), config)
    assert {ONE, TWO} <= set(lake.rows(config))
    assert counts(lake.loader("run-3").load(lake.frame(ONE, NEW_TWO), config)) == (0, 1, 1, 0, 0)
    assert lake.rows(config) == [ONE, NEW_TWO]
    lake.loader("run-3").remove_orphans(config, frozenset())
    assert not pending(lake, config)


def test_killed_before_the_old_files_were_deleted(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lake.config()
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", lambda store, keys: None)
        lake.loader("run-2").load(lake.frame(ONE, NEW_TWO), config)
    assert len(lake.data_keys(config)) == 2
    again = lake.loader("run-3").load(lake.frame(ONE, NEW_TWO), config)
    assert counts(again) == (0, 0, 2, 0, 0)
    assert lake.rows(config) == [ONE, NEW_TWO]


def test_a_failed_first_load_leaves_no_target(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lake.config()

    def fail(*_: object, **__: object) -> None:
        raise ValidationError("another writer")

    with monkeypatch.context() as patch:
        for home in (file_table, driver_files):
            patch.setattr(home, "refuse_difference", fail)
        with pytest.raises(ValidationError):
            lake.loader("run-1").load(lake.frame(ONE), config)
    assert not lake.data_keys(config)
    assert not pending(lake, config)
    assert not lake.loader().target_exists(config)


def test_a_losing_attempt_adds_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second attempt at each partition stages the same rows before the winner's receipt comes in."""
    config = lake.config(partitioned=False, writer=S3Writer.SPARK)
    write = staged.write_partitions

    def twice(frame, function, task):  # type: ignore[no-untyped-def]
        loser = write_files(iter(frame.toArrow().to_batches()), Attempt(0, 9999), task)
        assert [file.rows for file in files_of(loser)] == [2]
        return write(frame, function, task)

    monkeypatch.setattr(staged, "write_partitions", twice)
    lake.loader().load(lake.frame(ONE, TWO), config)
    assert lake.rows(config) == [ONE, TWO]
    assert len(lake.data_keys(config)) == 1
    assert not pending(lake, config)


def test_a_lost_answer_is_looked_up_and_not_repeated(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lake.config()
    settle = Publication.settle

    def settled_then_lost(self: Publication, manifest: object) -> None:
        settle(self, manifest)  # type: ignore[arg-type]
        raise ConnectionLostError("the answer was lost")

    monkeypatch.setattr(Publication, "settle", settled_then_lost)
    assert counts(lake.loader().load(lake.frame(ONE, TWO), config)) == (2, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE, TWO]


def test_only_dead_runs_lose_their_staging(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    config = lake.config(partitioned=False)
    with monkeypatch.context() as patch:
        kill(patch, "show", after=False)
        with pytest.raises(Killed):
            lake.loader("run-1").load(lake.frame(ONE), config)
    staged = pending(lake, config)
    assert len(staged) == 1
    assert lake.loader("run-2").remove_orphans(config, frozenset({"run-1"})) == []
    assert pending(lake, config) == staged
    assert lake.loader("run-2").remove_orphans(config, frozenset({"run-2"})) == staged
    assert not pending(lake, config)


def test_files_of_another_writer_are_compared_and_replaced(lake: Lake) -> None:
    config = lake.config(partitioned=False)
    lake.frame(ONE, TWO, THREE).write.parquet(lake.path(config).uri)
    assert counts(lake.loader().load(lake.frame(ONE, NEW_TWO), config)) == (0, 1, 1, 0, 1)
    assert lake.rows(config) == [ONE, NEW_TWO]


@pytest.mark.parametrize("file_format", list(S3Format))
def test_the_plan_writes_nothing(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format)
    uri = lake.path(config).uri
    by = "the driver" if lake.writer is S3Writer.RUST else "Spark: writer: spark"
    steps = [f"create {file_format} {uri} by partition_date", f"written by {by}"]
    assert lake.loader().plan(lake.frame(ONE), config) == steps
    assert not lake.store.objects(lake.path(config).prefix)
    lake.loader().load(lake.frame(ONE), config)
    wider = lake.frame(ONE).selectExpr("*", "1 as extra")
    assert lake.loader().plan(wider, config) == [
        f"overwrite into {file_format} {uri} by partition_date",
        "schema: column extra is not in the target",
        f"written by {by}",
    ]
