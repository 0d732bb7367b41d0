"""Real processes under a real guardian; only PostgreSQL is not needed here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etl.orchestrator.work.guardian import machine_time
from etl.orchestrator.work.launching import Launch
from etl.orchestrator.work.output import Output
from etl.orchestrator.work.process import Ended, JobProcess
from etl.project import PROJECT_DIR
from tests.patience import eventually

LONG = 1000.0

STUBBORN_TREE = """
trap '' TERM
sh -c 'trap "" TERM; echo grandchild $$; sleep 1000 & wait' &
{daemon}
echo parent $$
while :; do sleep 0.1; done
"""
DAEMON = f"""
{sys.executable} -c 'import os, time; os.setsid(); print("daemon", os.getpid(), flush=True); time.sleep(1000)' &
"""


def lives(pid: int) -> bool:
    """A zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


class Job:
    """A process, and what it wrote and its guardian told."""

    def __init__(self, *words: str, until: float = LONG, notice: float = 1.0, **environment: str) -> None:
        self.output = Output()
        self.lines: list[str] = []
        launch = Launch(words, {**os.environ, **environment})
        self.process = JobProcess(launch, machine_time() + until, notice, self.output.write)

    def until_it_says(self, count: int) -> dict[str, int]:
        """`name pid` lines of its stdout."""
        said: list[str] = []
        while len(said) < count:
            self.lines += self.process.told(0.05)
            said += "".join(piece.text for piece in self.output.take()).splitlines()
        return {name: int(pid) for name, pid in map(str.split, said)}

    def until_its_end(self) -> Ended:
        while self.process.ended is None:
            self.lines += self.process.told(0.05)
        self.process.last_words()
        self.output.end()
        return self.process.ended

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.output.take())


@pytest.fixture
def start() -> Iterator[Callable[..., Job]]:
    jobs: list[Job] = []

    def begin(*words: str, **settings: object) -> Job:
        job = Job(*words, **settings)  # type: ignore[arg-type]
        jobs.append(job)
        return job

    yield begin
    for job in jobs:
        job.process.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("exit 0", Ended(code=0)),
        ("exit 3", Ended(code=3)),
        ("kill -9 $$", Ended(signal_number=9)),
        ("kill -11 $$", Ended(signal_number=11)),
    ],
)
def test_tells_exactly_how_the_job_ended(start: Callable[..., Job], script: str, ended: Ended) -> None:
    assert start("sh", "-c", script).until_its_end() == ended


def test_output_and_environment_reach_whom_they_are_for(start: Callable[..., Job]) -> None:
    job = start("sh", "-c", 'echo "out $SAID"; echo err >&2; cat; pwd', SAID="word")
    assert job.until_its_end() == Ended(code=0)
    taken = {piece.stream: piece.text for piece in job.output.take()}
    assert taken == {"stdout": f"out word\n{PROJECT_DIR}\n", "stderr": "err\n"}


def test_a_command_that_is_not_there_or_not_executable_is_told_by_its_number(start: Callable[..., Job]) -> None:
    assert start("no-such-command-anywhere").until_its_end() == Ended(not_started=2)
    assert start(str(PROJECT_DIR / "setup.cfg")).until_its_end() == Ended(not_started=13)


def test_the_job_has_signals_as_a_shell_gives_them(start: Callable[..., Job]) -> None:
    """Neither Python's ignored SIGPIPE, nor what whoever started the worker ignores, nor the guardian's own handlers
    are handed down. Those that the C library keeps for itself nobody can set."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:
        job = start("sh", "-c", "grep -E '^Sig(Ign|Blk)' /proc/self/status")
        job.until_its_end()
    finally:
        signal.signal(signal.SIGQUIT, before)
    masks = {name.rstrip(":"): int(mask, 16) for name, mask in map(str.split, job.text.splitlines())}
    known = sum(1 << number - 1 for number in signal.valid_signals())
    assert {name: mask & known for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}


def test_a_tree_that_ignores_sigterm_is_killed_with_its_daemons(start: Callable[..., Job]) -> None:
    job = start("sh", "-c", STUBBORN_TREE.format(daemon=DAEMON))
    pids = job.until_it_says(3)
    job.process.end(0.3)
    assert job.until_its_end() == Ended(signal_number=9)
    assert job.lines[1:] == ["terminated asked", "killed", "signal 9"]
    assert not any(lives(pid) for pid in pids.values())


def test_a_job_that_ends_when_asked_is_not_killed_and_one_that_is_stopped_hears_it(start: Callable[..., Job]) -> None:
    job = start("sh", "-c", "trap 'exit 7' TERM; echo parent $$; while :; do sleep 0.05; done")
    pids = job.until_it_says(1)
    os.kill(pids["parent"], signal.SIGSTOP)
    job.process.end(20)
    assert job.until_its_end() == Ended(code=7)
    assert "killed" not in job.lines


def test_what_a_job_leaves_running_ends_with_it_but_daemons_stay(start: Callable[..., Job], tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waits = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    job = start("sh", "-c", f"sh -c 'echo left $$; exec sleep 1000' & {DAEMON} {waits}; exit 0")
    pids = job.until_it_says(2)
    gate.touch()
    assert job.until_its_end() == Ended(code=0)
    assert "left 1" in job.lines
    assert not lives(pids["left"])
    assert lives(pids["daemon"])
    os.kill(pids["daemon"], signal.SIGKILL)


def test_the_lease_ends_the_job_before_another_may_begin(start: Callable[..., Job]) -> None:
    job = start("sh", "-c", STUBBORN_TREE.format(daemon=""), until=2.4, notice=0.8)
    until = machine_time() + 2.4
    pids = job.until_it_says(2)
    assert job.until_its_end() == Ended(signal_number=9)
    assert job.lines[1:] == ["terminated lease", "killed", "signal 9"]
    assert machine_time() >= until - 0.1  # it had its notice
    assert not any(lives(pid) for pid in pids.values())


def test_a_lease_that_is_renewed_goes_on(start: Callable[..., Job]) -> None:
    job = start("sh", "-c", "sleep 1.5; exit 4", until=0.8, notice=0.2)
    job.process.renew(machine_time() + LONG)
    assert job.until_its_end() == Ended(code=4)


def test_a_guardian_that_is_killed_takes_the_job_along(start: Callable[..., Job]) -> None:
    job = start("sh", "-c", "sh -c 'echo child $$; exec sleep 1000' & echo parent $$; wait")
    pids = job.until_it_says(2)
    os.kill(job.process._guardian.pid, signal.SIGKILL)
    assert job.until_its_end() == Ended()
    assert eventually(lambda: not any(lives(pid) for pid in pids.values()))


def test_each_descriptor_is_closed_once() -> None:
    """Left before the guardian's last word was read to its end, too."""
    before = set(Path("/proc/self/fd").iterdir())
    for reads in (False, True):
        with Job("sh", "-c", "echo out; exec sleep 1000").process as process:
            while process.pid is None:
                process.told(0.05)
            process.end(0)
            if reads:
                process.last_words()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_nothing_is_left_of_a_job_whose_worker_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(STUBBORN_TREE.format(daemon=DAEMON))
    worker = (
        "import os, sys; from etl.orchestrator.work.guardian import machine_time\n"
        "from etl.orchestrator.work.process import JobProcess; from etl.orchestrator.work.launching import Launch\n"
        "launch = Launch(('sh', sys.argv[1]), dict(os.environ))\n"
        "job = JobProcess(launch, machine_time() + 1000, 0.3, lambda _, data: os.write(1, data))\n"
        "while True: job.told(1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", worker, str(script)], stdout=subprocess.PIPE, text=True, cwd=PROJECT_DIR
    ) as process:
        assert process.stdout is not None
        pids = dict(process.stdout.readline().split() for _ in range(3))
        process.kill()
    assert eventually(lambda: not any(lives(int(pid)) for pid in pids.values()))
