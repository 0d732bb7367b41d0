"""Which port each embedded server listens on: kept from start to start, changed only where somebody else took it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from etl.errors import StoreError
from etl.stack.layout import write_private

LOOPBACK = "127.0.0.1"

# Below the range (32768 and up) from which the kernel lends ports to outgoing connections.
FIRST_PORTS = {"postgresql": 25432, "clickhouse": 28123, "clickhouse_native": 29000, "s3": 29900}
_TRIES = 400


_FORMER = "former"


def read_ports(path: Path) -> dict[str, int]:
    """The ports of the last start; those it does not know begin at their first choice."""
    found = _read(path)
    kept = {name: port for name, port in found.items() if isinstance(port, int)}
    return {name: kept.get(name, first) for name, first in FIRST_PORTS.items()}


def read_former_ports(path: Path) -> dict[str, list[int]]:
    """The ports that each server had before somebody else took them; a shell may hold variables that name them."""
    found = _read(path).get(_FORMER)
    kept = found if isinstance(found, dict) else {}
    return {name: kept[name] if isinstance(kept.get(name), list) else [] for name in FIRST_PORTS}


def write_ports(path: Path, ports: Mapping[str, int]) -> None:
    former = read_former_ports(path)
    if path.exists():
        for name, port in read_ports(path).items():
            former[name] = [*dict.fromkeys([*former[name], port])]
    gone = {name: [port for port in kept if port != ports[name]] for name, kept in former.items()}
    write_private(path, json.dumps({**ports, _FORMER: gone}, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def free_port(wanted: int, taken: set[int]) -> int:
    """The wanted port, or the next one up that nobody listens on."""
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        if port not in taken and not is_occupied(port):
            return port
    raise StoreError(f"expected a free port on {LOOPBACK} from {wanted} on, found {_TRIES} occupied ones")


def is_occupied(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As servers do it: a port in TIME_WAIT is free, one that somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
