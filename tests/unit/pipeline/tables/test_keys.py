import pytest

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import ExtractConfig, LateCommits
from etl.errors import SourceError
from etl.model import ExtractMode, WriteMode
from etl.pipeline.tables.keys import require_key
from tests.unit.transform.conftest import postgresql_table


def test_what_is_appended_and_may_be_read_twice_has_a_key() -> None:
    keyless = S3TableLoadConfig(table_name="t", mode=WriteMode.APPEND, path="t")
    followed = ExtractConfig(mode=ExtractMode.INCREMENTAL, watermark="at", late_commits=LateCommits.EXACT)
    with pytest.raises(SourceError, match="mode append needs a key with `late_commits: exact`"):
        require_key(postgresql_table(extract=followed), keyless)
    require_key(postgresql_table(extract=followed), keyless.model_copy(update={"key": ("id",)}))
    require_key(postgresql_table(extract=followed), keyless.model_copy(update={"mode": WriteMode.OVERWRITE_PARTITIONS}))
    require_key(postgresql_table(), keyless)
