"""Requests made up from the OpenAPI document: every answer is one that it describes, and none a fault of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from etl.api.app import create_app
from etl.api.models import RUN_ID
from etl.api.openapi import document_of
from etl.staging.loader import Summary
from tests.integration.api.conftest import Page

pytestmark = [
    pytest.mark.stack,
    # its own: it still takes jsonschema's former names
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

_DOCUMENT = document_of(create_app())
_STREAM = "/api/runs/{etl_run_id}/events"
"""Has no end while its run goes on, and is tested by itself."""
schema = schemathesis.openapi.from_dict(_DOCUMENT).exclude(path=_STREAM).exclude(tag="session")

FEW = settings(
    max_examples=8, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
MANY = settings(FEW, max_examples=300, derandomize=False)


@pytest.fixture(scope="module")
def headers(page: Page) -> Iterator[dict[str, str]]:
    with page.client() as client:
        token = client.get("/api/session").json()["csrf_token"]
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        yield {"X-CSRF-Token": token, "Cookie": cookies}


def ask(case: Any, page: Page, headers: dict[str, str]) -> None:
    """Half of the time of a run that is there, in place of another that may be."""
    run_id = str(case.path_parameters.get("etl_run_id", ""))
    if re.fullmatch(RUN_ID, run_id) and len(run_id) % 2:
        case.path_parameters["etl_run_id"] = "orders-1"
    case.call_and_validate(base_url=page.url, headers=headers)


@FEW
@schema.parametrize()
def test_every_answer_is_as_described(case: Any, page: Page, headers: dict[str, str], loaded: Summary) -> None:
    ask(case, page, headers)


@pytest.mark.slow
@MANY
@schema.parametrize()
def test_every_answer_is_as_described_however_long_one_asks(
    case: Any, page: Page, headers: dict[str, str], loaded: Summary
) -> None:
    ask(case, page, headers)
