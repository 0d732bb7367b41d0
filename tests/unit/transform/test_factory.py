from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from etl.errors import ConfigurationError
from etl.model import ColumnDefinition, TableDefinition
from etl.project import IVY_DIR_VARIABLE
from etl.transform.check import check_expressions
from etl.transform.factory import TransformerFactory
from tests.unit.transform.conftest import file_table, postgresql_table

DEFINITION = TableDefinition(
    "things",
    (ColumnDefinition("id", "integer", nullable=False), ColumnDefinition("mail", "text")),
    primary_key=("id",),
    unique_keys=(("mail",),),
)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"transformer": "SesionMetrics"}, "unknown class 'SesionMetrics'; did you mean 'SessionMetrics'"),
        ({"transformer": "SessionMetrics", "options": {"begin": "a"}}, "SessionMetrics does not take them: begin"),
        ({"transformer": "PredictionBands"}, "PredictionBands does not take them: column: .*; into: "),
        (
            {"transformer": "PredictionBands", "options": {"column": "a", "into": "b", "bands": {"x": 0, "y": 0}}},
            "expected a lower bound of its own for each band",
        ),
        ({"mask": {"mail": "email"}}, "mail must stay unique; use `hash` or `drop`"),
        ({"mask": {"id": "all"}}, "id must stay unique"),
        ({"rename": {"mail": "email"}, "mask": {"email": "email"}}, "email must stay unique"),
    ],
)
def test_a_wrong_entry_is_a_fault_before_any_frame(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TransformerFactory.get_transformer(postgresql_table(transform=entry), DEFINITION)


def test_options_mean_nothing_without_a_class() -> None:
    assert TransformerFactory.get_transformer(postgresql_table(), DEFINITION) is not None


def test_all_faults_of_all_tables_are_told_together(spark: SparkSession) -> None:
    tables = [
        postgresql_table(name="one", transform={"derive": {"x": "nothing"}}),
        postgresql_table(name="two", transform={"transformer": "Nobody"}),
        file_table({"id": "int"}, name="three", transform={"rules": {"r": "id > '"}}),
        postgresql_table(name="fine", transform={"filter": "mail LIKE '%@%'"}),
    ]
    files = TableDefinition("three", (ColumnDefinition("id", "integer"),))
    definitions = {"one": DEFINITION, "two": DEFINITION, "three": files, "fine": DEFINITION}
    with pytest.raises(ConfigurationError) as caught:
        check_expressions(spark, tables, definitions)
    assert [fault.message.split(":")[0] for fault in caught.value.faults] == [
        "one.transform.derive.x",
        "two.transform.transformer",
        "three.transform.rules.r",
    ]
    assert {fault.file for fault in caught.value.faults} == {"conf/tables/test.yaml"}


def test_the_checks_pass_for_the_shipped_tables(spark: SparkSession) -> None:
    from etl.config.configuration import load_configuration
    from etl.project import PROJECT_DIR

    configuration = load_configuration(PROJECT_DIR / "conf", {})
    check_expressions(spark, configuration.select((), (), ()), configuration.definitions)


def test_what_was_found_valid_is_not_asked_of_spark_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its entry or its columns change; what is wrong is said every time."""
    monkeypatch.setenv(IVY_DIR_VARIABLE, str(tmp_path))
    no_spark: Any = None
    definition = TableDefinition("one", (ColumnDefinition("id", "integer", False),), primary_key=("id",))
    good = postgresql_table(name="one", transform={"derive": {"more": "id + 1"}})
    check_expressions(spark, [good], {"one": definition})
    check_expressions(no_spark, [good], {"one": definition})
    wrong = postgresql_table(name="one", transform={"derive": {"more": "nothing + 1"}})
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            check_expressions(spark, [good, wrong], {"one": definition})
    changed = TableDefinition("one", (ColumnDefinition("id", "text", False),), primary_key=("id",))
    with pytest.raises(AttributeError):
        check_expressions(no_spark, [good], {"one": changed})


def test_a_folder_that_cannot_be_written_is_no_fault(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IVY_DIR_VARIABLE, str(tmp_path / "none"))
    definition = TableDefinition("one", (ColumnDefinition("id", "integer", False),), primary_key=("id",))
    for _ in range(2):
        check_expressions(
            spark, [postgresql_table(name="one", transform={"rules": {"r": "id > 0"}})], {"one": definition}
        )
    assert not (tmp_path / "none").exists()
