from __future__ import annotations

from unittest.mock import sentinel

from etl.load.base import LoadFacts
from etl.load.numerics import Settled, facts_without
from etl.model import Checksums


def test_what_is_still_known_of_a_frame_whose_numerics_became_decimals() -> None:
    """Its bytes among it: a frame that seems to have none would be taken to the driver, whatever it weighs."""
    settled = Settled(sentinel.frame, {"amount": "decimal(38,10)"})
    facts = LoadFacts(rows=1_200, checksums=Checksums(1_200), rows_read=1_210, rows_rejected=10, bytes=1 << 30)
    left = facts_without(facts, 200, settled)
    assert left == LoadFacts(rows=1_000, checksums=None, rows_read=1_210, rows_rejected=210, bytes=1 << 30)
    assert left is not None and not left.fit_driver(10_000)
    assert facts_without(facts, 0, Settled(sentinel.frame)) is facts
