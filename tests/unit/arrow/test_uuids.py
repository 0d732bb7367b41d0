from __future__ import annotations

import uuid

import pyarrow as pa
import pytest

from etl.arrow.uuids import uuid_bytes
from etl.arrow.values import BadValues

ONE = uuid.UUID("0123abcd-EF45-6789-abcd-000000000001")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("before", [str(uuid.UUID(int=0)), "a text of another length", None])
@pytest.mark.parametrize(
    "texts",
    [
        [str(ONE), str(ONE).upper(), str(uuid.UUID(int=2**128 - 1))],
        [str(ONE), None, str(ONE)],
        [None],
        [],
        ["{" + str(ONE) + "}", ONE.hex, None],
    ],
)
def test_also_a_part_of_an_array(texts: list[str | None], before: str | None, kind: pa.DataType) -> None:
    expected = [None if text is None else uuid.UUID(text).bytes for text in texts]
    assert uuid_bytes(pa.array(texts, kind)).to_pylist() == expected
    assert uuid_bytes(pa.array([before, *texts, before], kind).slice(1, len(texts))).to_pylist() == expected


@pytest.mark.parametrize("text", ["0123-abcd-ef45-6789-abcd-0000-0000-0001", "0123abcdef45-6789abcd-000000000001"])
def test_dashes_stand_where_postgresql_takes_them(text: str) -> None:
    assert uuid_bytes(pa.array([text])).to_pylist() == [ONE.bytes]


@pytest.mark.parametrize(
    "text", [ONE.urn, str(ONE) + "-", "{" + str(ONE), "012-3abcd-ef45-6789-abcd-000000000001", "é" * 18, " " + str(ONE)]
)
def test_what_postgresql_refuses_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(BadValues) as caught:
        uuid_bytes(pa.array([str(ONE), None, text]))
    assert caught.value.positions.tolist() == [2]
