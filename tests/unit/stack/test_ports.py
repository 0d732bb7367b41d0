from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from etl.errors import StoreError
from etl.stack import ports
from etl.stack.ports import FIRST_PORTS, free_port, is_occupied, read_former_ports, read_ports, write_ports


@pytest.fixture
def occupied() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_an_occupied_port_is_passed_over(occupied: int) -> None:
    assert is_occupied(occupied)
    assert free_port(occupied, taken={occupied + 1}) > occupied + 1


def test_a_free_port_is_kept() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    assert free_port(port, taken=set()) == port


def test_too_many_occupied_ports_are_an_error(occupied: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_TRIES", 1)
    with pytest.raises(StoreError, match=f"expected a free port on 127.0.0.1 from {occupied} on"):
        free_port(occupied, taken=set())


def test_ports_are_remembered(tmp_path: Path) -> None:
    write_ports(tmp_path / "ports", {**FIRST_PORTS, "s3": 1234})
    assert read_ports(tmp_path / "ports") == {**FIRST_PORTS, "s3": 1234}


def test_a_port_that_was_given_up_is_remembered_once_and_until_it_is_taken_up_again(tmp_path: Path) -> None:
    memory = tmp_path / "ports"
    for port in (1, 1, 2, 3, 2):
        write_ports(memory, {**FIRST_PORTS, "postgresql": port})
    assert read_ports(memory)["postgresql"] == 2
    assert read_former_ports(memory) == {"postgresql": [1, 3], "clickhouse": [], "clickhouse_native": [], "s3": []}


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"s3": "many", "other": 1}'])
def test_an_unreadable_memory_is_a_fresh_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports").write_text(content)
    assert read_ports(tmp_path / "ports") == FIRST_PORTS
    assert not any(read_former_ports(tmp_path / "ports").values())
