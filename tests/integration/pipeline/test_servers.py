"""What is said before a run begins of destinations that no retry would bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.model import Destination
from etl.pipeline.servers import require_databases
from etl.report.commands import Commands
from tests.conftest import RunningStack

pytestmark = pytest.mark.stack


def test_a_bucket_that_is_not_there_is_told_with_who_looks_at_all_of_them(stack: RunningStack) -> None:
    assert stack.settings.s3 is not None
    settings = stack.settings.model_copy(update={"s3": stack.settings.s3.model_copy(update={"bucket": "nowhere"})})
    with pytest.raises(UsageError, match=r"  s3: .*NoSuchBucket.*\n.* doctor --config-dir media$"):
        require_databases(settings, [Destination.S3, Destination.CLICKHOUSE], Commands(Path("media")))
