from __future__ import annotations

import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etl.orchestrator.work.output import LONGEST_LINE_BYTES, Output, Piece

SECRET = "hunter2secret"


def text_of(pieces: list[Piece], stream: str = "stdout") -> str:
    return "".join(piece.text for piece in pieces if piece.stream == stream)


def test_a_line_is_taken_when_it_has_ended() -> None:
    output = Output()
    output.write("stdout", b"one\ntw")
    output.write("stderr", b"half")
    assert output.take() == [Piece(0, "stdout", "one\n")]
    assert output.take() == []
    output.write("stdout", b"o\r")
    assert output.take() == [Piece(1, "stdout", "two\r")]
    output.end()
    assert output.take() == [Piece(2, "stderr", "half")]
    assert output.last_line() == "half"


@given(st.text(), st.lists(st.integers(0, 400)))
def test_whatever_the_chunks_the_text_is_the_same(text: str, cuts: list[int]) -> None:
    data, output = text.encode(), Output()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces: list[Piece] = []
    for begin, end in pairwise(places):
        output.write("stdout", data[begin:end])
        pieces += output.take()
    output.end()
    assert text_of(pieces + output.take()) == text.replace("\0", "")


def test_a_secret_is_masked_also_where_chunks_meet_in_it() -> None:
    output = Output([SECRET])
    pieces = []
    for byte in f"url {SECRET} end\n".encode():
        output.write("stdout", bytes([byte]))
        pieces += output.take()
    assert text_of(pieces) == "url *** end\n"


def test_a_secret_in_a_line_that_is_too_long_is_masked() -> None:
    output = Output([SECRET])
    output.write("stdout", b"x" * (LONGEST_LINE_BYTES - 5))
    output.write("stdout", SECRET[:6].encode())
    pieces = output.take()
    output.write("stdout", SECRET[6:].encode())
    output.end()
    text = text_of(pieces + output.take())
    assert text == "x" * (LONGEST_LINE_BYTES - 5) + "***"


def test_the_first_and_the_last_are_kept_in_whole_lines() -> None:
    output = Output(kept_bytes=30)
    for number in range(100):
        output.write("stdout", f"line {number}\n".encode())
    head = text_of(output.take())
    assert head == "line 0\nline 1\nline 2\nline 3\n"
    output.end()
    tail = text_of(output.take())
    left_out = sum(len(f"line {number}\n") for number in range(4, 97))
    assert tail == f"… {left_out:,} bytes of stdout left out …\nline 97\nline 98\nline 99\n"


def test_what_fits_is_kept_whole_and_streams_are_counted_apart() -> None:
    output = Output(kept_bytes=8)
    output.write("stdout", b"1234567\nabcdefg\n")
    output.write("stderr", b"x\n")
    output.end()
    pieces = output.take()
    assert text_of(pieces) == "1234567\nabcdefg\n"
    assert text_of(pieces, "stderr") == "x\n"


def test_writing_and_taking_at_once_loses_nothing() -> None:
    output, lines = Output(), 5000
    writer = threading.Thread(target=lambda: [output.write("stdout", b"%d\n" % number) for number in range(lines)])
    writer.start()
    pieces: list[Piece] = []
    while writer.is_alive():
        pieces += output.take()
    output.end()
    pieces += output.take()
    assert text_of(pieces).split() == [str(number) for number in range(lines)]
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
