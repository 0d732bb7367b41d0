"""Which rules abort broken uploads; the embedded store has none, so they are as AWS documents them."""

from __future__ import annotations

from typing import Any

import pytest

from etl.doctor.s3 import aborts_uploads

ABORT: dict[str, Any] = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Status": "Enabled", "Filter": {}, **ABORT}, True),
        ({"Status": "Enabled", "Prefix": "", **ABORT}, True),
        ({"Status": "Enabled", "Filter": {"Prefix": "data-"}, **ABORT}, True),
        ({"Status": "Enabled", "Filter": {"Prefix": "logs/"}, **ABORT}, False),
        ({"Status": "Enabled", "Filter": {"And": {"Prefix": "logs/", "Tags": []}}, **ABORT}, False),
        ({"Status": "Enabled", "Prefix": "data-lake/deeper/", **ABORT}, False),
        ({"Status": "Disabled", "Filter": {}, **ABORT}, False),
        ({"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 7}}, False),
    ],
)
def test_a_rule_has_to_hold_for_the_whole_lake(rule: dict[str, Any], expected: bool) -> None:
    assert aborts_uploads([rule], "data-lake/") is expected
