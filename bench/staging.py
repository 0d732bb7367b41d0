"""The staging loader against psycopg2's `execute_values … ON CONFLICT`, batches of 1,000, a commit each."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote

import orjson
import psycopg2
from psycopg2.extras import execute_values

from bench.measure import Ratio, Results, Timing
from bench.servers import read_settings
from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.ingestion.watch.metrics import peak_memory_bytes
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.statements.staging.tables import StagingTable

Say = Callable[[str], None]

BATCH = 1000
WORKERS = (1, 2, 3, 4)
TABLE = StagingTable("stg_bench")

_BASELINE = """INSERT INTO stg_bench (source_id, data, etl_job_id, etl_run_id, source_updated_at) VALUES %s
ON CONFLICT (source_id) DO UPDATE SET data = excluded.data, source_updated_at = excluded.source_updated_at,
    etl_run_id = excluded.etl_run_id, updated_at = now(), loaded_at = now()"""


@dataclass
class Course:
    """`later`: the same records, each changed since."""

    settings: PostgreSQLSettings
    file: Path
    later: Path
    rows: int
    say: Say
    seconds: dict[str, list[float]] = field(default_factory=dict)
    p95: dict[str, list[float]] = field(default_factory=dict)

    def record(self, case: str, seconds: float, p95_ms: float) -> None:
        self.seconds.setdefault(case, []).append(seconds)
        self.p95.setdefault(case, []).append(p95_ms)
        self.say(f"staging: {case}: {seconds:.2f} s, {self.rows / seconds:,.0f} rows/s, p95 of a batch {p95_ms:.0f} ms")


def measure_staging(
    settings: PostgreSQLSettings, folder: Path, rows: int, large: int, rounds: int, say: Say
) -> Results:
    """`rows` records in each turn; `large` once, in a process of its own whose memory is read at its end."""
    later = write_events(folder / f"events-{rows}-later.ndjson", rows, month=2)
    course = Course(settings, write_events(folder / f"events-{rows}.ndjson", rows), later, rows, say)
    for _ in range(rounds):
        _baseline(course)
        for workers in WORKERS:
            _load(course, f"loader, {workers} worker{'s' if workers > 1 else ''}", workers)
        _load(course, "loader, nothing changed, 1 worker", 1, then=course.file)
        _baseline(course, then=course.later)
        for workers in (1, 2):
            case = f"loader, every row updated, {workers} worker{'s' if workers > 1 else ''}"
            _load(course, case, workers, then=course.later)
    results = Results([Timing("staging", case, rows, tuple(seconds)) for case, seconds in course.seconds.items()])
    _compare(results, course)
    if large:
        _measure_large(results, course, write_events(folder / f"events-{large}.ndjson", large), large)
    return results


def write_events(path: Path, rows: int, month: int = 1) -> Path:
    """Records of about 250 bytes, always the same; those of another month are later ones of the same ids."""
    draw, content = random.Random(1), random.Random(month)
    with path.open("wb") as file:
        for _ in range(rows):
            event = {
                "id": str(uuid.UUID(int=draw.getrandbits(128))),
                "type": draw.choice(["view", "click", "share"]),
                "at": f"2026-{month:02}-{draw.randint(1, 28):02}T{draw.randint(0, 23):02}:00:00Z",
                "user": {"id": draw.randint(1, 1_000_000), "country": draw.choice(["BR", "PT", "AO"])},
                "article": draw.randint(1, 100_000),
                "payload": {
                    "scroll": content.random(),
                    "device": "mobile",
                    "referrer": "https://example.org/" + "x" * 30,
                },
            }
            file.write(orjson.dumps(event) + b"\n")
    return path


def load_file(settings: PostgreSQLSettings, file: Path, workers: int) -> None:
    """As the command line does, without its bar."""
    job = StagingJob(
        id="bench",
        target_table=TABLE.name,
        source=JsonFiles(type="ndjson", path=(str(file),)),
        source_id="id",
        source_updated_at="at",
        batch_size=BATCH,
        workers=workers,
    )
    with closing(StagingDatabase(settings, connections=workers + 3)) as database:
        install(database, [TABLE])
        summary = StagingLoader(database).load(job, FileSource(NdjsonFormat(1 << 20), (file,)), LoadOptions())
    if not summary.is_success:
        raise RuntimeError(f"the load did not succeed: {summary.run}")


def _baseline(course: Course, *, then: Path | None = None) -> None:
    """Into an empty table; `then`: what is timed is a second file, by another run."""
    _clear(course.settings)
    case, file, run_id = "execute_values, 1 connection", course.file, "bench"
    if then:
        _execute_values(course, file, run_id)
        case, file, run_id = "execute_values, every row updated, 1 connection", then, "bench-later"
        _settle(course.settings)
    started = time.perf_counter()
    durations = _execute_values(course, file, run_id)
    seconds = time.perf_counter() - started
    _expect(course.settings, course.rows)
    course.record(case, seconds, quantiles(durations, n=20)[-1] * 1000)


def _execute_values(course: Course, file: Path, run_id: str) -> list[float]:
    """Seconds of each batch."""
    durations: list[float] = []
    with closing(psycopg2.connect(**course.settings.connection_parameters)) as held, held.cursor() as cursor:
        for lines in _batches(file):
            begun = time.perf_counter()
            records = [(orjson.loads(line), line.decode()) for line in lines]
            values = [(record["id"], text, "bench", run_id, record["at"]) for record, text in records]
            execute_values(cursor, _BASELINE, values, page_size=BATCH)
            held.commit()
            durations.append(time.perf_counter() - begun)
    return durations


def _load(course: Course, case: str, workers: int, *, then: Path | None = None) -> None:
    """Into an empty table; `then`: what is timed is a second file."""
    _clear(course.settings)
    if then:
        load_file(course.settings, course.file, workers)
    _settle(course.settings)
    started = time.perf_counter()
    load_file(course.settings, then or course.file, workers)
    seconds = time.perf_counter() - started
    _expect(course.settings, course.rows)
    ((p95,),) = _ask(
        course.settings,
        "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FROM etl_run_batches JOIN etl_runs ON id = "
        "etl_run_id WHERE run_number = (SELECT max(run_number) FROM etl_runs)",
    )
    course.record(case, seconds, p95)


def _compare(results: Results, course: Course) -> None:
    baseline, one = "execute_values, 1 connection", "loader, 1 worker"
    best = min((f"loader, {n} workers" for n in WORKERS if n > 1), key=lambda case: median(course.seconds[case]))
    results.compare("staging", one, baseline, 1.3)
    results.compare("staging", best, one, 1.4)
    results.compare("staging", "loader, nothing changed, 1 worker", one, 2.5)
    updated = "execute_values, every row updated, 1 connection"
    for workers in ("1 worker", "2 workers"):
        results.compare("staging", f"loader, every row updated, {workers}", updated, 1.3)
    for case in (baseline, one, best):
        results.ratios.append(Ratio("staging", f"p95 of a batch, ms: {case}", median(course.p95[case])))


def _measure_large(results: Results, course: Course, file: Path, rows: int) -> None:
    """Its rate against the best of the small turns with as many workers; its memory at its highest."""
    _clear(course.settings)
    workers = 2
    command = [sys.executable, "-c", f"from bench.staging import load_and_say_memory as f; f({str(file)!r}, {workers})"]
    started = time.perf_counter()
    environment = {**os.environ, "ETL_POSTGRES_URL": _url(course.settings)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - started
    _expect(course.settings, rows)
    megabytes = int(done.stdout.split()[-1]) / 1024
    timing = Timing("staging", f"loader, {workers} workers, {rows:,} records", rows, (seconds,))
    results.timings.append(timing)
    small = results.timing("staging", f"loader, {workers} workers").rows_per_second
    results.ratios.append(
        Ratio("staging", f"rate at {rows:,} / at {course.rows:,}", timing.rows_per_second / small, 0.85)
    )
    results.ratios.append(Ratio("staging", "peak memory, MB", megabytes, 400, is_upper_bound=True))


def load_and_say_memory(file: str, workers: int) -> None:
    """In a process of its own, whose environment names the server; the last word is the peak in KiB."""
    settings = read_settings(dict(os.environ)).postgresql
    if settings is None:
        raise RuntimeError("expected ETL_POSTGRES_URL")
    load_file(settings, Path(file), workers)
    print(peak_memory_bytes() // 1024)


def _url(server: PostgreSQLSettings) -> str:
    password = quote(server.password.get_secret_value(), safe="")
    return f"postgresql://{server.user}:{password}@{server.host}:{server.port}/{server.database}"


def _batches(file: Path) -> Iterator[list[bytes]]:
    with file.open("rb") as lines:
        while batch := list(islice(lines, BATCH)):
            yield batch


def _clear(settings: PostgreSQLSettings) -> None:
    with closing(StagingDatabase(settings)) as database:
        install(database, [TABLE])
    _ask(settings, "TRUNCATE stg_bench, etl_run_batches, etl_run_rejects, etl_runs, etl_jobs CASCADE")
    _ask(settings, "INSERT INTO etl_jobs (id, target_table) VALUES ('bench', 'stg_bench')")
    _ask(
        settings,
        "INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, status, finished_at) "
        "SELECT run, 'bench', 'stg_bench', 1000, 'success', now() FROM unnest(ARRAY['bench', 'bench-later']) AS run",
    )
    _settle(settings)


def _settle(settings: PostgreSQLSettings) -> None:
    _ask(settings, "CHECKPOINT")


def _expect(settings: PostgreSQLSettings, rows: int) -> None:
    ((found,),) = _ask(settings, "SELECT count(*) FROM stg_bench")
    if found != rows:
        raise RuntimeError(f"expected {rows} rows in stg_bench, found {found}: the turn is void")


def _ask(settings: PostgreSQLSettings, statement: str) -> list[tuple[int, ...]]:
    with closing(psycopg2.connect(**settings.connection_parameters)) as held, held.cursor() as cursor:
        held.autocommit = True
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
