import pytest
from pyspark.errors import PySparkException

from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.load.s3.door import spark_door
from etl.s3.door import s3_door


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[DELTA_CONCURRENT_APPEND] files were added", ContentionError),
        ("java.net.ConnectException: Connection refused", ConnectionLostError),
        ("Service: S3, Status Code: 503", OverloadedError),
        ("an exception was thrown\netl.errors.OverloadedError: expected …, it answered SlowDown", OverloadedError),
        ("[UNRESOLVED_COLUMN] no such column", StoreError),
    ],
)
def test_sparks_message_decides_the_trunk(text: str, expected: type[EtlError]) -> None:
    with pytest.raises(expected, match="expected Spark to merge"), spark_door("merge", "t"):
        raise PySparkException(text)


def test_the_cause_is_picked_out_of_a_workers_traceback() -> None:
    trace = 'Traceback (most recent call last):\n  File "x.py"\n'
    first = f"An exception was thrown from the Python worker:\n{trace}pyarrow.lib.ArrowInvalid\n\n"
    text = f"{first}{trace}ValueError: why\n"
    with pytest.raises(StoreError, match=r"it failed: why$"), spark_door("write files"):
        raise PySparkException(text)


def test_our_own_errors_pass_through() -> None:
    with pytest.raises(StoreError, match="as it was"), spark_door("write"), s3_door("write"):
        raise StoreError("as it was")
