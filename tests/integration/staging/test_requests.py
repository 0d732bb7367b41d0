"""What is asked for: queued, the same again for the same key, refused in words and kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import LockedError, UsageError
from etl.staging.batch.records import PreparedBatch, RawBatch
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.batch_events import batch_failed
from etl.staging.ledger.failures import Failure
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.refusals import (
    JobIsRunningError,
    KeyReusedError,
    NothingToRetryError,
    OvertakenError,
    RequestError,
    RunHasEndedError,
    RunIdTakenError,
    RunIsRunningError,
    UnknownRunError,
)
from etl.staging.ledger.requests import Requested, Requests
from etl.staging.ledger.values import NewRun
from tests.integration.staging.conftest import Execute

pytestmark = pytest.mark.stack

JOB = StagingJob(
    id="events", target_table="stg_events", source=JsonFiles(type="ndjson", path=("x",)), source_id="id", batch_size=500
)
OTHER = JOB.model_copy(update={"id": "others"})
RUNS = "SELECT id, status, phase, batch_size, requested_by, failure FROM etl_runs ORDER BY id"
REQUESTS = "SELECT etl_run_id, action, status, refusal_code, refusal FROM etl_run_requests ORDER BY id"


@pytest.fixture
def requests(database: StagingDatabase) -> Requests:
    return Requests(database)


@pytest.fixture
def ledger(database: StagingDatabase) -> StagingLedger:
    return StagingLedger(database)


def a_run(
    ledger: StagingLedger, run_id: str = "run", failures: tuple[Failure | None, ...] = (), job: str = "events"
) -> None:
    """Ended, with a batch of each failure; None: not stored."""
    ledger.start_run(NewRun(run_id, job, "stg_events", 100, 1), force=True)
    ledger.register_batches(run_id, [RawBatch(index, {}, range(0), []) for index in range(len(failures))])
    for index, failure in enumerate(failures):
        if failure:
            ledger.tell(batch_failed(run_id, PreparedBatch(index, {}, 100), failure, 0.1))
    ledger.end_input(run_id)
    ledger.finish_run(run_id)


PASSING, LASTING = Failure("40P01", "deadlock detected"), Failure("23514", "no_k150", is_permanent=True)


def test_a_load_is_queued_with_who_asked_for_it(requests: Requests, execute: Execute) -> None:
    asked = requests.request_load(JOB, "first", None, False, "key", "ada", "10.0.0.1")
    assert not asked.is_replay
    assert execute(RUNS) == [("first", "pending", "queued", 500, "ada", None)]
    assert execute("SELECT id, target_table FROM etl_jobs") == [("events", "stg_events")]
    found = execute("SELECT id, action, parameters, requested_by, requested_from, status FROM etl_run_requests")
    parameters = {"force": False, "batch_size": 500}
    assert found == [(asked.request_id, "load", parameters, "ada", "10.0.0.1", "queued")]


@pytest.mark.parametrize("count", [2, 8])
def test_one_wish_sent_often_is_one_run(database: StagingDatabase, execute: Execute, count: int) -> None:
    def ask(_: int) -> Requested:
        return Requests(database).request_load(JOB, "run", 200, False, "key", "ada", None)

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(ask, range(count)))
    assert len({(each.etl_run_id, each.request_id) for each in answers}) == 1
    assert sorted(each.is_replay for each in answers) == [False, *[True] * (count - 1)]
    assert execute("SELECT count(*) FROM etl_run_requests") == [(1,)]


def test_a_key_that_is_used_for_something_else_is_told(requests: Requests, execute: Execute) -> None:
    requests.request_load(JOB, "run", 200, False, "key", "ada")
    for other in (
        lambda: requests.request_load(JOB, "run", 300, False, "key", "ada"),
        lambda: requests.request_load(JOB, "run", 200, False, "key", "bob"),
        lambda: requests.request_cancel("run", "key", "ada"),
    ):
        with pytest.raises(KeyReusedError, match="of run run") as caught:
            other()
        assert caught.value.code == "idempotency_key_reused"
    assert execute(RUNS) == [("run", "pending", "queued", 200, "ada", None)]


def test_what_is_refused_is_kept_and_refused_again(requests: Requests, execute: Execute) -> None:
    requests.request_load(JOB, "run", None, False, "key", "ada")
    for _ in range(2):
        with pytest.raises(JobIsRunningError, match="run run of job events is queued"):
            requests.request_load(JOB, "second", None, False, "again", "bob", "10.0.0.2")
    assert execute("SELECT count(*) FROM etl_runs") == [(1,)]
    assert execute(REQUESTS)[1:] == [
        ("second", "load", "refused", "job_is_running", "run run of job events is queued")
    ]  # fmt: skip
    # the first has gone meanwhile: the same key has the same answer, a new one asks anew
    requests.request_cancel("run", "cancel", "ada")
    with pytest.raises(JobIsRunningError):
        requests.request_load(JOB, "second", None, False, "again", "bob", "10.0.0.2")
    assert requests.request_load(JOB, "second", None, False, "anew", "bob").etl_run_id == "second"


def test_a_second_run_beside_the_first_is_forced(requests: Requests, ledger: StagingLedger, execute: Execute) -> None:
    requests.request_load(JOB, "run", None, False, "1", "ada")
    requests.request_load(JOB, "second", None, True, "2", "ada")
    requests.request_load(OTHER, "other", None, False, "3", "ada")
    with pytest.raises(RunIdTakenError):
        requests.request_load(OTHER, "run", None, True, "4", "ada")
    assert execute("SELECT count(*) FROM etl_runs WHERE status = 'pending'") == [(3,)]
    with pytest.raises(LockedError, match=r"job events is queued as run run \(asked for by ada at"):
        ledger.start_run(NewRun("typed", "events", "stg_events", 100, 1))


def test_a_run_id_that_the_ledger_cannot_hold_is_none(requests: Requests, execute: Execute) -> None:
    with pytest.raises(UsageError, match="expected a run id of letters"):
        requests.request_load(JOB, "a b", None, False, "key", "ada")
    assert not execute(REQUESTS)


def test_what_is_queued_is_not_dead(requests: Requests, ledger: StagingLedger, execute: Execute) -> None:
    requests.request_load(JOB, "run", None, False, "1", "ada")
    execute("UPDATE etl_runs SET heartbeat_at = now() - interval '1 day'")
    assert ledger.bury_dead_runs() == []
    assert ledger.get_run("run").silent_seconds is None


def test_what_is_queued_is_cancelled_at_once(requests: Requests, ledger: StagingLedger, execute: Execute) -> None:
    requests.request_load(JOB, "run", None, False, "1", "ada")
    asked = requests.request_cancel("run", "2", "bob", "here")
    refusal = "cancelled by bob before it began"
    assert execute(RUNS) == [("run", "canceled", "committing", 500, "ada", refusal)]
    assert execute(REQUESTS) == [
        ("run", "load", "withdrawn", None, refusal),
        ("run", "cancel", "done", None, None),
    ]
    assert requests.request_cancel("run", "2", "bob", "here") == Requested("run", asked.request_id, True)
    with pytest.raises(RunHasEndedError):
        requests.request_cancel("run", "3", "bob")
    # the request had been taken: the same again is no refusal
    assert requests.request_load(JOB, "run", None, False, "1", "ada").is_replay
    assert ledger.get_run("run").cancelled_by == "bob"


def test_a_run_under_way_is_told_that_it_is_cancelled(
    requests: Requests, ledger: StagingLedger, execute: Execute
) -> None:
    ledger.start_run(NewRun("run", "events", "stg_events", 100, 1))
    requests.request_cancel("run", "1", "ada")
    requests.request_cancel("run", "2", "bob")
    assert execute("SELECT status, cancelled_by FROM etl_runs") == [("running", "ada")]
    assert ledger.beat("run") is True
    assert ledger.finish_run("run").status == "canceled"


def test_an_unknown_run_is_told_and_not_kept(requests: Requests, execute: Execute) -> None:
    for ask in (
        lambda: requests.request_cancel("none", "1", "ada"),
        lambda: requests.request_retry("none", None, False, "2", "ada"),
    ):
        with pytest.raises(UnknownRunError):
            ask()
    assert not execute(REQUESTS)


def test_a_retry_is_queued_and_its_run_stands_as_it_ended(
    requests: Requests, ledger: StagingLedger, execute: Execute
) -> None:
    a_run(ledger, failures=(PASSING, LASTING))
    ((before,),) = execute("SELECT revision FROM etl_runs")
    asked = requests.request_retry("run", [1, 0, 1], True, "key", "ada")
    assert requests.request_retry("run", [0, 1], True, "key", "ada") == Requested("run", asked.request_id, True)
    assert execute("SELECT parameters FROM etl_run_requests") == [
        ({"batch_indexes": [0, 1], "includes_permanent": True},)
    ]
    assert execute("SELECT status FROM etl_runs") == [("failed",)]
    assert execute("SELECT revision > %s FROM etl_runs", (before,)) == [(True,)]
    with pytest.raises(RunIsRunningError, match="run run is queued"):
        requests.request_retry("run", None, False, "second", "ada")
    with pytest.raises(JobIsRunningError, match="a retry of run run of job events is queued"):
        requests.request_load(JOB, "new", None, False, "third", "ada")
    requests.request_cancel("run", "cancel", "ada")
    assert execute("SELECT status, failure, cancelled_at FROM etl_runs") == [("failed", None, None)]
    assert requests.request_retry("run", None, False, "fourth", "ada")


@pytest.mark.parametrize(
    ("failures", "wanted", "includes_permanent", "told"),
    [
        ((), None, True, "all that was read of run run is stored"),
        ((LASTING, LASTING), None, False, "the errors of all 2 batches that run run left are permanent"),
        ((LASTING, PASSING), [0], False, "the errors of all 1 batches that run run left are permanent"),
        ((PASSING,), [0, 7], False, "run run has no batch to retry with index 7"),
        ((LASTING, LASTING), None, True, None),
        ((LASTING, PASSING), None, False, None),
        ((None,), None, False, None),
    ],
)
def test_what_there_is_to_retry(
    requests: Requests,
    ledger: StagingLedger,
    failures: tuple[Failure | None, ...],
    wanted: list[int] | None,
    includes_permanent: bool,
    told: str | None,
) -> None:
    a_run(ledger, failures=failures)
    if told is None:
        assert requests.request_retry("run", wanted, includes_permanent, "key", "ada").etl_run_id == "run"
    else:
        with pytest.raises(NothingToRetryError, match=told):
            requests.request_retry("run", wanted, includes_permanent, "key", "ada")


def test_input_that_was_never_read_can_be_retried(requests: Requests, ledger: StagingLedger, execute: Execute) -> None:
    a_run(ledger, failures=(LASTING,))
    execute("UPDATE etl_runs SET input_ended_at = NULL")
    assert requests.request_retry("run", None, False, "key", "ada")


def test_a_retry_does_not_undo_a_later_run(requests: Requests, ledger: StagingLedger, execute: Execute) -> None:
    a_run(ledger, failures=(PASSING,))
    a_run(ledger, "later")
    execute("UPDATE etl_runs SET batches_succeeded = 1 WHERE id = 'later'")
    with pytest.raises(OvertakenError, match="run later of the same job"):
        requests.request_retry("run", None, False, "key", "ada")


def test_a_request_is_begun_once_and_only_when_it_is_claimed(
    requests: Requests, ledger: StagingLedger, execute: Execute
) -> None:
    asked = requests.request_load(JOB, "run", None, False, "1", "ada")
    run = NewRun("run", "events", "stg_events", 100, 1)
    begin: Any = {"request_id": asked.request_id}
    with pytest.raises(UsageError, match=f"request {asked.request_id} to load run run is not to be begun"):
        ledger.start_run(run, **begin)
    execute("UPDATE etl_run_requests SET status = 'claimed', worker_id = gen_random_uuid()")
    requests.request_load(JOB, "forced", None, True, "2", "ada")
    ledger.start_run(NewRun("other", "others", "stg_events", 100, 1))
    number = ledger.start_run(run, **begin)
    assert number == 4  # of a run that begins now, not of when it was asked for
    assert execute("SELECT status, batch_size FROM etl_runs WHERE id = 'run'") == [("running", 100)]
    with pytest.raises(UsageError, match="is not to be begun"):
        ledger.start_run(run, **begin)


def test_the_errors_have_codes_and_one_tree() -> None:
    codes = [each.code for each in RequestError.__subclasses__()]
    assert len(set(codes)) == len(codes) == 10
