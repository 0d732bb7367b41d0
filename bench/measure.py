"""Contenders take turns over the same rows (A B A B …); each writes into a fresh target every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.events import Rows

Write = Callable[[Rows, str], None]
Touch = Callable[[str], None]


def do_nothing(_target: str) -> None:
    """For contenders that create their target themselves."""


def same_rows(rows: Rows) -> Rows:
    """For writes of the race's own rows."""
    return rows


@dataclass(frozen=True)
class Step:
    """A timed write; what `change` makes of the rows before it is not timed."""

    name: str
    write: Write
    change: Callable[[Rows], Rows] = same_rows


@dataclass(frozen=True)
class Contender:
    """One way to bring rows into a store.

    The first step fills a fresh target, which `prepare` makes where the step expects it; further ones write into the
    target that then stands: the same rows again, changed rows.
    """

    steps: tuple[Step, ...]
    prepare: Touch = do_nothing

    @classmethod
    def of(cls, name: str, write: Write, *more: Step, prepare: Touch = do_nothing) -> Contender:
        return cls((Step(name, write), *more), prepare)


@dataclass(frozen=True)
class Store:
    """What a race needs of a store besides writing: `settle` lets it finish what earlier turns left it to do."""

    name: str
    count: Callable[[str], int]
    remove: Touch
    settle: Callable[[], None]


@dataclass(frozen=True)
class Timing:
    """`seconds` holds one number a round, in the order of the rounds."""

    section: str
    case: str
    rows: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def p95(self) -> float:
        return quantiles(self.seconds, n=20, method="inclusive")[-1] if len(self.seconds) > 1 else self.seconds[0]

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.median


@dataclass(frozen=True)
class Ratio:
    """A ratio of two medians, against what the product promises; `target` is None where nothing is promised."""

    section: str
    what: str
    value: float
    target: float | None = None
    is_upper_bound: bool = False

    @property
    def is_reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.is_upper_bound else self.value >= self.target


@dataclass
class Results:
    """Grows while the benchmark runs, so that an interrupted one still has something to print."""

    timings: list[Timing] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)

    def timing(self, section: str, case: str) -> Timing:
        return next(timing for timing in self.timings if (timing.section, timing.case) == (section, case))

    def compare(self, section: str, case: str, baseline: str, target: float | None = None) -> None:
        """How many times as fast as the baseline."""
        value = self.timing(section, baseline).median / self.timing(section, case).median
        self.ratios.append(Ratio(section, f"{case} / {baseline}", value, target))


def race(
    store: Store, contenders: Sequence[Contender], warm_up: Rows, rows: Rows, rounds: int, say: Callable[[str], None]
) -> list[Timing]:
    """A few rows first, untimed: nobody pays for the JVM's and the workers' start."""
    seconds: dict[str, list[float]] = {step.name: [] for contender in contenders for step in contender.steps}
    for number, each in enumerate([warm_up] + [rows] * rounds):
        for turn, contender in enumerate(contenders):
            for name, elapsed in _take_turn(store, contender, each, f"bench_{number}_{turn}"):
                if number:
                    seconds[name].append(elapsed)
                    say(f"{store.name}, round {number}: {name}: {elapsed:.2f} s, {rows.count / elapsed:,.0f} rows/s")
    return [Timing(store.name, name, rows.count, tuple(seconds[name])) for name in seconds]


def _take_turn(store: Store, contender: Contender, rows: Rows, target: str) -> Iterable[tuple[str, float]]:
    contender.prepare(target)
    for step in contender.steps:
        given = step.change(rows)
        store.settle()
        started = time.perf_counter()
        step.write(given, target)
        elapsed = time.perf_counter() - started
        found = store.count(target)
        if found != rows.count:
            raise RuntimeError(f"{store.name}, {step.name}: expected {rows.count} rows in {target}, found {found}")
        yield step.name, elapsed
    store.remove(target)
