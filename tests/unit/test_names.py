from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.names import is_readable, let_output_hold_anything, path_of, readable, stored_name


def test_bytes_that_are_no_utf8_are_shown_by_their_digits() -> None:
    assert readable(os.fsdecode(b"caf\xe9.csv")) == "caf\\xe9.csv"
    assert readable("café \\ 😀") == "café \\ 😀"
    assert readable("\ud83d") == "\\ud83d"


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        (b"caf\xe9.csv", "caf\\xe9.csv"),
        (b"caf\\xe9.csv", "caf\\\\xe9.csv"),
        (b"a\\b", "a\\b"),
        (b"a\\b\xff", "a\\\\b\\xff"),
        ("café".encode(), "café"),
    ],
)
def test_a_name_is_stored_so_that_it_can_be_read_by_people(name: bytes, stored: str) -> None:
    assert stored_name(os.fsdecode(name)) == stored


@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name and b"/" not in name and name != b"."))
def test_every_name_is_found_again_and_stored_as_no_other(name: bytes) -> None:
    stored = stored_name(os.fsdecode(name))
    assert is_readable(stored)
    assert os.fsencode(path_of(stored)) == name


def test_output_holds_what_its_encoding_lacks(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    let_output_hold_anything()
    sys.stdout.write(os.fsdecode(b"caf\xe9"))
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"caf\\udce9"
