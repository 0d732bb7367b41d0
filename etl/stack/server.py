"""What the stack asks of each of its servers."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil


class Server(Protocol):
    """One embedded server. Every method may be called again after a kill at any point."""

    name: str
    port_names: tuple[str, ...]
    """Its entries in ports.json; the first is the one users connect to."""
    stop_signal: signal.Signals
    log_files: tuple[Path, ...]

    def processes(self) -> Sequence[psutil.Process]:
        """Its live processes, whoever started them."""

    def remains(self) -> Sequence[psutil.Process]:
        """Processes that a killed server left behind and that are in the way of the next."""

    def start(self, ports: Mapping[str, int]) -> None:
        """Initialises what is missing and starts the server; does not wait."""

    def is_answering(self, ports: Mapping[str, int]) -> bool:
        """True once it lets our password in (so it is ours) and does work."""

    def create_content(self, ports: Mapping[str, int]) -> None:
        """The databases or the bucket, where they are missing."""

    def delete(self) -> None:
        """Removes what it keeps outside the data folder."""
