"""Finds, starts and stops the servers' processes.

A server is found by what stands on its command line (the absolute path of its own data), not by a number in a PID
file: nothing goes stale when a machine restarts, a parent is killed or the folder is deleted under a live server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Account:
    """The operating system's user a server runs under, where it is not our own."""

    name: str
    user_id: int
    group_id: int


def find_by_arguments(*arguments: str) -> list[psutil.Process]:
    """Live processes that were started with each of these arguments, exactly."""
    return [process for process in _live() if set(arguments) <= set(process.info["cmdline"] or ())]


def find_by_folder(name: str, folder: Path) -> list[psutil.Process]:
    """Live processes of this name working in this folder, e.g. backends that outlive a killed postmaster."""
    return [p for p in _live() if (p.info["name"] or "").startswith(name) and _working_folder(p) == str(folder)]


def _live() -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline", "name", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
            yield process


def _working_folder(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except psutil.Error:
        return None


def start(
    command: Sequence[str],
    *,
    folder: Path,
    log_file: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """In a session of its own, so that it outlives this process and a Ctrl-C in its terminal."""
    log = _open_log(log_file)
    try:
        subprocess.Popen(
            list(command),
            cwd=folder,
            env={**base_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **identity(account),
        )
    finally:
        os.close(log)


def identity(account: Account | None) -> dict[str, Any]:
    """subprocess's arguments for running as this account; none for our own."""
    if account is None:
        return {}
    return {"user": account.user_id, "group": account.group_id, "extra_groups": []}


def base_environment() -> dict[str, str]:
    """What a server may know of ours: nothing that holds passwords or changes its behaviour (PG*, JAVA_OPTS, …)."""
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "TZ": "UTC", "LC_ALL": "C.UTF-8"}


def stop(processes: Sequence[psutil.Process], polite: signal.Signals, patience_seconds: float = 30) -> None:
    """Asks politely, then kills; returns when none is left."""
    send(processes, polite)
    see_off(processes, patience_seconds)


def see_off(processes: Sequence[psutil.Process], patience_seconds: float = 30) -> None:
    """Waits for processes that were asked to stop, and kills those that do not."""
    _, left = psutil.wait_procs(processes, timeout=patience_seconds)
    # A stopped (SIGSTOP) process never sees a polite signal, but SIGKILL reaches it.
    send(left, signal.SIGKILL)
    psutil.wait_procs(left, timeout=10)


def send(processes: Sequence[psutil.Process], which: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(which)


def tail(log_file: Path, lines: int = 12) -> str:
    """The end of a log, for the error that says a server did not start."""
    try:
        text = log_file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _open_log(log_file: Path) -> int:
    """Appends; starts over where the log has grown beyond what anybody would read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT_BYTES:
        flags |= os.O_TRUNC
    return os.open(log_file, flags, 0o600)
