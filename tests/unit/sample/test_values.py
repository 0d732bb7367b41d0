"""Arrow columns in PostgreSQL's text forms."""

from __future__ import annotations

import ipaddress
import json
import uuid

import numpy as np
import pyarrow as pa

from etl.sample import values
from etl.sample.draw import hash_rows

ROWS = np.arange(200)


def test_uuids_are_valid_version_4_and_differ() -> None:
    made = values.uuids(hash_rows(1, "t", "high", ROWS), hash_rows(1, "t", "low", ROWS)).to_pylist()
    assert {(uuid.UUID(text).version, str(uuid.UUID(text)) == text) for text in made} == {(4, True)}
    assert len(set(made)) == len(ROWS)


def test_blobs_are_hex_of_eight_bytes_a_part() -> None:
    bits = np.array([1, 2**64 - 1], dtype=np.uint64)
    assert values.blobs(bits).to_pylist() == ["\\x0000000000000001", "\\xffffffffffffffff"]
    assert values.blobs(bits, bits)[0].as_py() == "\\x00000000000000010000000000000001"
    assert values.hex_text(bits)[0].as_py() == "0000000000000001"


def test_json_objects_escape_nest_and_keep_null() -> None:
    made = values.json_objects(
        {
            "text": values.words(['say "hi"', "a\\b", None]),
            "number": values.integers(np.array([1, 2, 3]), np.array([False, True, False])),
            "nested": values.raw_json(values.words(["[1]", "{}", "null"])),
            "flag": values.flags(np.array([True, False, True])),
        }
    )
    assert [json.loads(text) for text in made.to_pylist()] == [
        {"text": 'say "hi"', "number": 1, "nested": [1], "flag": True},
        {"text": "a\\b", "number": None, "nested": {}, "flag": False},
        {"text": None, "number": 3, "nested": None, "flag": True},
    ]


def test_array_literals_quote_text_and_spell_null() -> None:
    assert values.array_literal(['a"b', "c\\d", "", None]) == '{"a\\"b","c\\\\d","",NULL}'
    assert values.array_literal([1, None, 3]) == "{1,NULL,3}"
    assert values.array_literal([]) == "{}"


def test_pools_are_the_same_in_every_process() -> None:
    assert values.array_pool([1, 2, 3], size=4).to_pylist() == ["{2,3,1}", "{3,1,NULL}", "{3,1}", "{1,3}"]


def test_join_repeats_constants_and_one_null_makes_null() -> None:
    made = values.join("a", values.words(["b", None]), values.integers(np.array([1, 2])))
    assert made.to_pylist() == ["ab1", None]


def test_addresses_belong_to_nobody() -> None:
    reserved = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "198.18.0.0/15", "2001:db8::/32")]
    for text in values.ADDRESSES.to_pylist():
        address = ipaddress.ip_address(text)
        assert any(address in network for network in reserved if network.version == address.version)


def test_dates_and_instants() -> None:
    assert values.dates(np.array([0, 1])).type == pa.date32()
    assert values.instants(np.array([0])).type == pa.timestamp("us", "UTC")
    assert values.local_times(np.array([0])).type == pa.timestamp("us")
