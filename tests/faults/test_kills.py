"""The main job is killed: no row is lost or doubled, readers see one content or the next, nothing is left over."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable
from itertools import count

import pytest

from tests.faults.world import World
from tests.integration.pipeline.conftest import STORES

pytestmark = pytest.mark.stack

ALL = ",".join(STORES)
RANDOM_KILLS = int(os.environ.get("ETL_TEST_KILLS", "50"))
PATIENCE_SECONDS = 3_600
LONGEST_SECONDS = 6.0
"""After the first write; the whole run takes less."""


@pytest.mark.parametrize(
    ("store", "write"),
    [
        pytest.param("postgresql", "postgresql: COPY", marks=pytest.mark.slow),
        pytest.param("clickhouse", "clickhouse: EXCHANGE TABLES", marks=pytest.mark.slow),
        ("s3", "s3: commit of Delta"),
    ],
)
def test_killed_before_it_publishes(world: World, store: str, write: str) -> None:
    world.change()
    is_killed, writes = world.killed("0", store)
    assert not is_killed
    numbers = [number for number, line in enumerate(writes, 1) if line.partition(" ")[2].startswith(write)]
    assert numbers, writes
    assert world.require_success(world.stores.run())
    _kill_and_recover(world, str(numbers[-1]), store, World.resume)
    world.require_nothing_new()


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_SECONDS)
@pytest.mark.parametrize("store", [*STORES, ALL])
def test_killed_before_each_of_its_writes(
    world: World, store: str, record_property: Callable[[str, object], None]
) -> None:
    """Every other time the dead run is resumed, or the next one finds what it left. With one store the writes come in
    the same order each time; with three, the last one may come earlier or later."""
    kills: list[str] = []
    for number in count(1):
        recover = World.resume if number % 2 else _run_again
        line = _kill_and_recover(world, str(number), store, recover)
        if line is None:
            break
        kills.append(line)
    assert len(kills) > 20, kills
    world.require_nothing_new()
    record_property("measured", f"{store}: killed before each of {len(kills)} writes, and all rows once")


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_SECONDS)
def test_killed_at_random(world: World, record_property: Callable[[str, object], None]) -> None:
    """ETL_TEST_SEED repeats one run of it, ETL_TEST_KILLS makes it longer."""
    seed = os.environ.get("ETL_TEST_SEED") or secrets.token_hex(4)
    moments = random.Random(seed)
    deaths = 0
    for number in range(RANDOM_KILLS):
        at = f"{moments.uniform(0, LONGEST_SECONDS):.3f}s"
        recover = moments.choice([World.resume, _run_again])
        try:
            deaths += _kill_and_recover(world, at, ALL, recover) is not None
        except AssertionError as error:
            error.add_note(f"kill {number + 1}, {at} after the first write; again with ETL_TEST_SEED={seed}")
            raise
    world.require_nothing_new()
    record_property("measured", f"{deaths} of {RANDOM_KILLS} runs killed at random, seed {seed}, and all rows once")


Recover = Callable[[World], object]


def _kill_and_recover(world: World, at: str, store: str, recover: Recover) -> str | None:
    """The write before which the run was killed; None where it had ended before."""
    before = world.wanted()
    world.change()
    is_killed, writes = world.killed(at, store)
    world.require_one_or_the_other(before, world.wanted())
    world.let_a_minute_go_by()
    if is_killed:
        recover(world)
    world.require_success(world.stores.run())
    world.require_whole()
    return writes[-1] if is_killed and writes else None


def _run_again(world: World) -> None:
    """The next run is all that comes."""
