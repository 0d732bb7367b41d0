"""What the night's contenders are told, and where their rows are looked for; the night itself is a benchmark."""

from __future__ import annotations

import pytest

from bench.measure import Results
from bench.night import (
    DAY_AFTER,
    DLT,
    FROM_NOTHING,
    MAIN_JOB,
    NAIVE,
    NOT_BY_DLT,
    WARM_UP_TABLE,
    Course,
    conclude,
    refuse_other_rows,
    watermarks,
)
from bench.night_targets import Place, Targets, own_places, places_in
from bench.peers.environment import PeersEnvironment
from etl.config.configuration import Configuration, load_configuration
from etl.project import DEFAULT_CONFIG_DIR
from etl.stack.environment import as_if_started


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return load_configuration(environ=as_if_started({}, DEFAULT_CONFIG_DIR))


def test_rows_of_the_main_job_are_counted_where_its_configuration_has_them(configuration: Configuration) -> None:
    places = own_places(configuration)
    assert len(places) == 79
    assert places["audit_logs"] == Place('"public"."audit_logs"', "`audit_logs`", "data-lake/audit/logs", "delta")
    assert places["countries"].clickhouse == "`countries` FINAL"
    assert places["countries"].lake_format == "parquet"


def test_dlt_names_tables_by_schema_prefix_and_folder() -> None:
    assert places_in("night", {"brands": "delta"}) == {
        "brands": Place('"night"."brands"', "`night___brands`", "night/brands", "delta")
    }


def test_dlt_is_told_what_the_main_job_knows_of_new_rows(configuration: Configuration) -> None:
    told = watermarks(configuration)
    assert told.keys() == configuration.tables.keys() - NOT_BY_DLT
    assert (told["audit_logs"], told["countries"]) == ("created_at", None)
    assert WARM_UP_TABLE in told
    assert configuration.tables.keys() >= NOT_BY_DLT


def test_each_stage_is_compared_with_whoever_took_part(configuration: Configuration) -> None:
    course = Course(configuration, Targets(configuration.settings, {}, PeersEnvironment(DEFAULT_CONFIG_DIR)), say=print)
    course.seconds = {
        f"{FROM_NOTHING}: {MAIN_JOB}": [10.0, 20.0, 90.0],
        f"{FROM_NOTHING}: {DLT}": [30.0, 30.0, 30.0],
        f"{FROM_NOTHING}: {NAIVE}": [100.0],
        f"{DAY_AFTER}: {MAIN_JOB}": [10.0],
    }
    course.rows = dict.fromkeys(course.seconds, 79)
    results = Results()
    conclude(course, results)
    assert [(ratio.what, ratio.value) for ratio in results.ratios] == [
        ("from nothing: main job / from nothing: dlt", 1.5),
        ("from nothing: main job / from nothing: naive script", 5.0),
    ]


def test_a_night_that_left_other_rows_is_void() -> None:
    expected = {"brands": 7, "countries": 3}
    refuse_other_rows("from nothing: dlt", expected, {"postgresql": expected, "s3": expected})
    with pytest.raises(RuntimeError, match=r"from nothing: dlt: .* in s3, .* \{'brands': \(7, 6\)\}"):
        refuse_other_rows("from nothing: dlt", expected, {"postgresql": expected, "s3": {"brands": 6, "countries": 3}})
