"""Signals end the event loop once the work has cleaned up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from etl.ingestion.command.event_loop import Interrupted, run_to_end
from etl.project import PROJECT_DIR


async def answer() -> int:
    return 42


def test_the_result_comes_back() -> None:
    assert run_to_end(answer()) == 42


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_work_clean_up(number: signal.Signals) -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    with pytest.raises(Interrupted) as caught:
        run_to_end(work())
    assert cleaned == [True]
    assert caught.value.number == number
    assert str(caught.value) == number.name


def test_a_second_signal_ends_a_clean_up_that_hangs() -> None:
    script = """
import asyncio, os, signal
from etl.ingestion.command.event_loop import run_to_end

async def work():
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

run_to_end(work())
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_DIR, timeout=50, check=False)
    assert ended.returncode == 130


def test_a_cancellation_of_the_works_own_is_none_of_ours() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_to_end(work())


def test_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    run_to_end(answer())
    assert signal.getsignal(signal.SIGINT) is before
