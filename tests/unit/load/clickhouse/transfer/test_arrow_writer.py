from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from pydantic import SecretStr

from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.load.clickhouse.transfer.arrow_writer import ArrowWriterConfig, Refusals, _PartitionStream, inspect_batch
from etl.load.clickhouse.transfer.arrow_writer import RefusedValuesError as Refused
from etl.statements.clickhouse.names import staging_names
from etl.statements.clickhouse.tables import TableShape


def config(*columns: str, required: frozenset[str] = frozenset(), whole_arrays: bool = False) -> ArrowWriterConfig:
    settings = ClickHouseSettings(host="127.0.0.1", password=SecretStr("secret"))
    shape = TableShape((), "MergeTree", "")
    return ArrowWriterConfig(settings, staging_names("d", "t", "r", "1"), shape, columns, required, whole_arrays)


def batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def refusals_of(one: pa.RecordBatch, rules: ArrowWriterConfig) -> dict[tuple[str, str], int]:
    refusals = Refusals()
    inspect_batch(one, rules, refusals)
    return refusals.counts


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ([date(1900, 1, 1), date(2299, 12, 31), None], 0),
        ([date(1899, 12, 31), date(2000, 1, 1), date(2300, 1, 1)], 2),
        ([None, None], 0),
    ],
)
def test_dates_out_of_range_are_counted(values: list[date | None], refused: int) -> None:
    column = pa.array(values, pa.date32())
    assert refusals_of(batch(day=column), config("day")) == ({("day", "range"): refused} if refused else {})
    nested = pa.array([values, None], pa.list_(pa.date32()))
    assert refusals_of(batch(day=nested), config("day")) == ({("day", "range"): refused} if refused else {})


def test_instants_out_of_range_are_counted() -> None:
    first, last = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    kind = pa.timestamp("us", "UTC")
    fine = pa.array([first, last, None], kind)
    wrong = pa.array([datetime(1899, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)], kind)

    assert refusals_of(batch(at=fine), config("at")) == {}
    assert refusals_of(batch(at=wrong), config("at")) == {("at", "range"): 2}


def test_nulls_are_refused_only_where_the_target_cannot_hold_them() -> None:
    one = batch(id=pa.array(["a", None]), name=pa.array([None, None], pa.string()))
    assert refusals_of(one, config("id", "name", required=frozenset({"id"}))) == {("id", "null"): 1}


def test_null_arrays_are_refused_by_option() -> None:
    one = batch(tags=pa.array([[1], None], pa.list_(pa.int32())))
    assert refusals_of(one, config("tags")) == {}
    assert refusals_of(one, config("tags", whole_arrays=True)) == {("tags", "null_array"): 1}


def test_the_stream_carries_the_real_names_and_counts_rows_and_bytes() -> None:
    batches = [batch(c0=pa.array([1, 2])), batch(c0=pa.array([], pa.int64())), batch(c0=pa.array([3]))]
    stream = _PartitionStream(iter(batches), config("od.d `name"))

    sent = b"".join(stream.chunks())

    assert pa.ipc.open_stream(sent).read_all().to_pydict() == {"od.d `name": [1, 2, 3]}
    assert (stream.rows, stream.bytes) == (3, len(sent))


def test_an_empty_partition_has_nothing_to_send() -> None:
    assert not _PartitionStream(iter([batch(c0=pa.array([], pa.int64()))]), config("a")).has_rows


def test_what_is_refused_is_counted_over_the_whole_partition() -> None:
    batches = [batch(c0=pa.array(values, pa.int64())) for values in ([1], [None, 2], [None])]
    stream = _PartitionStream(iter(batches), config("id", required=frozenset({"id"})))

    with pytest.raises(Refused) as caught:
        list(stream.chunks())

    assert caught.value.refusals.to_detail() == '{"refused":[["id","null",2]]}'


def test_the_configuration_that_travels_shows_no_password() -> None:
    assert "secret" not in repr(config("a"))
