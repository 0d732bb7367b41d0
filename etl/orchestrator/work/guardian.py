"""Watches over one job's processes for a worker, and ends them all when the worker no longer can: when it is dead,
stopped, or has had no word from PostgreSQL for as long as its lease lasts.

A program of its own (`python -I -S guardian.py <orders> <the job's words>`), which imports nothing slow. The job is in
a session of its own; what it leaves to others (daemons) comes to us, as the subreaper.

It hears on stdin, a line each: `until T` (the lease lasts until then, by `machine_time`) and `end S` (ask the job to
end, kill it after S seconds). Stdin's end is the worker's. It tells on stdout: `started PID`, `not-started ERRNO`,
`terminated asked|lease|worker`, `left N` (processes that the job left running), `killed`, and last `exit CODE` or
`signal NUMBER`, once nothing of the job is left.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import NamedTuple

LEFTOVERS_SECONDS = 2.0
"""What a job that has ended by itself leaves running in its session is given so long."""

_LOOKS_AGAIN_SECONDS = 0.05
_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
_ORDERS = 4


def machine_time() -> float:
    """Seconds that go on while the machine sleeps; the same in every process."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Orders(NamedTuple):
    until: float
    notice_seconds: float
    """So long before the lease ends the job is asked to end, so that it is gone when another may begin."""
    output: int
    report: int
    """Descriptors: of the job's stdout, and of what a child of ours reports on."""
    words: list[str]

    def arguments(self) -> list[str]:
        return [*map(str, self[:_ORDERS]), *self.words]

    @classmethod
    def read(cls, arguments: list[str]) -> Orders:
        until, notice, output, report = arguments[:_ORDERS]
        return cls(float(until), float(notice), int(output), int(report), arguments[_ORDERS:])


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int


def main(arguments: list[str]) -> None:
    orders = Orders.read(arguments)
    _prctl(_SET_SUBREAPER, 1)
    woken = _woken_by_children()
    try:
        job = _launch(orders)
    except OSError as error:
        _tell(f"not-started {error.errno}")
        return
    _let_go(orders)
    _tell(f"started {job}")
    Watch(job, orders, woken).until_all_is_gone()


class Watch:
    """From the job's start until nothing of it is left."""

    def __init__(self, job: int, orders: Orders, woken: int) -> None:
        self._job = job
        self._until = orders.until
        self._notice_seconds = orders.notice_seconds
        self._woken = woken
        self._heard = b""
        self._status: int | None = None
        self._kill_at: float | None = None
        self._is_ended_from_outside = False
        self._is_killed = False
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)
        self._poll.register(woken, select.POLLIN)

    def until_all_is_gone(self) -> None:
        while True:
            self._reap()
            if self._kill_at is None and self._status is not None:
                self._end_leftovers()
            if self._kill_at is not None and self._is_done():
                break
            self._wait()
            self._check_lease()  # after what was said: we may have been stopped ourselves
        status = self._status or 0
        _tell(f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}")

    def _reap(self) -> None:
        """The job, and whatever was left to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._job:
                self._status = status

    def _end_leftovers(self) -> None:
        """A daemon that has a session of its own is meant to stay."""
        left = self._alive()
        if left:
            _tell(f"left {len(left)}")
            _send(left, signal.SIGTERM)
        self._kill_at = machine_time() + LEFTOVERS_SECONDS

    def _check_lease(self) -> None:
        now = machine_time()
        if self._status is None and now >= self._until - self._notice_seconds:
            self._end("lease", max(self._until, now))

    def _is_done(self) -> bool:
        alive = self._alive()
        if alive and self._kill_at is not None and machine_time() >= self._kill_at:
            if not self._is_killed:
                _tell("killed")
            self._is_killed = True
            _send(alive, signal.SIGKILL)
        return self._status is not None and not alive

    def _wait(self) -> None:
        if self._kill_at is not None:
            seconds = _LOOKS_AGAIN_SECONDS
        else:
            seconds = self._until - self._notice_seconds - machine_time()
        for descriptor, _ in self._poll.poll(max(0.0, seconds) * 1000 + 1):
            if descriptor == self._woken:
                os.read(self._woken, 4096)
            else:
                self._hear()

    def _hear(self) -> None:
        said = os.read(0, 4096)
        if not said:
            self._poll.unregister(0)
            self._end("worker", machine_time() + self._notice_seconds)
        *lines, self._heard = (self._heard + said).split(b"\n")
        for line in lines:
            word, _, value = line.partition(b" ")
            if word == b"until":
                self._until = float(value)
            else:
                self._end("asked", machine_time() + float(value))

    def _end(self, why: str, kill_at: float) -> None:
        """All of it, daemons too. The earliest of several times to kill counts."""
        if not self._is_ended_from_outside:
            self._is_ended_from_outside = True
            _tell(f"terminated {why}")
            alive = self._alive()
            _send(alive, signal.SIGTERM)
            _send(alive, signal.SIGCONT)  # one that is stopped hears nothing
        self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)

    def _alive(self) -> list[int]:
        everything = _descendants(os.getpid())
        if everything is None:
            return _group(self._job)
        ours = [each for each in everything if self._is_ended_from_outside or each.session == self._job]
        return [each.pid for each in ours]


def _launch(orders: Orders) -> int:
    """Raises OSError where it cannot be started."""
    guardian = os.getpid()
    failed, failing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _become_the_job(orders, guardian)
        except OSError as error:
            os.write(failing, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(failing)
    said = os.read(failed, 16)
    os.close(failed)
    if said:
        os.waitpid(pid, 0)
        raise OSError(int(said), "")
    return pid


def _become_the_job(orders: Orders, guardian: int) -> None:
    os.setsid()
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(127)
    # whatever Python, or whoever started the worker (a shell in the background), ignores
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(orders.output, 1)
    os.set_inheritable(orders.output, False)
    os.execvp(orders.words[0], orders.words)  # noqa: S606 - no shell is what is meant


def _let_go(orders: Orders) -> None:
    """So that the worker sees the end of what the job writes."""
    os.close(orders.output)
    os.close(orders.report)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _woken_by_children() -> int:
    """What can be read when a child has ended. A handler, unlike SIG_IGN, is not handed down to the job."""
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return woken


def _descendants(root: int) -> list[Process] | None:
    """All that live below it; None where there is no /proc."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib's import is slow
    except OSError:
        return None
    children: dict[int, list[Process]] = {}
    for process in filter(None, map(_process, pids)):
        children.setdefault(process.parent, []).append(process)
    found, open_ends = [], [root]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += [each.pid for each in below]
    return found


def _process(pid: int) -> Process | None:
    """None: it has ended, though its parent may not have asked yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - as above
            state, *facts = file.read().rpartition(b")")[2].split()[:4]
    except (OSError, ValueError):
        return None
    return None if state in b"ZX" else Process(pid, *map(int, facts))


def _group(leader: int) -> list[int]:
    try:
        os.killpg(leader, 0)
    except OSError:
        return []
    return [-leader]


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            os.kill(pid, number)


def _tell(line: str) -> None:
    with suppress(OSError):  # the worker is gone
        os.write(1, f"{line}\n".encode())


def _prctl(option: int, value: int) -> None:
    """Where there is none, as on macOS, the job's own group is all that can be found."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
