"""Servers that keep their connections and say nothing: a clear line each, in seconds."""

from __future__ import annotations

import pytest

from etl.doctor.findings import Status
from tests.conftest import RunningStack
from tests.integration.doctor.conftest import Patient
from tests.stopping import stopped_server

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.mark.parametrize(
    ("server", "subject", "said"),
    [
        ("postgresql", "source", "timeout expired"),
        ("clickhouse", "clickhouse", "found none within 10 s"),
        ("s3", "s3", "Read timeout"),
    ],
)
def test_it_costs_its_own_checks_alone(
    stack: RunningStack, patient: Patient, server: str, subject: str, said: str
) -> None:
    others = {"source", "clickhouse", "s3"} - {subject}
    with stopped_server(stack.data_dir, server):
        found = patient.findings("source", "clickhouse", "s3")
    first, *rest = [each for each in found.values() if each.subject == subject]
    assert (first.check, first.status) == ("connection", Status.FAILED)
    assert said in first.found
    assert first.next_step
    assert {(each.status, each.found) for each in rest} == {(Status.NOT_ASKED, "connection has failed")}
    assert {found[f"{other}.connection"].status for other in others} == {Status.OK}
