"""What a load read and what it wrote, as OpenLineage's datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    input_statistics_input_dataset,
    lifecycle_state_change_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from etl.config.configuration import Configuration
from etl.config.destinations.registry import known_destinations
from etl.config.settings import Settings
from etl.config.tables.columns import columns_left
from etl.config.tables.models import FileSource, TableConfig
from etl.config.tables.origins import Origin, column_origins
from etl.model import ColumnDefinition, Dataset, LoadStatus, TableDefinition, WriteMode
from etl.report.lineage.checks import check_assertions
from etl.report.lineage.records import LineageRecord

_PUBLISHED = (LoadStatus.SUCCESS, LoadStatus.UNCHANGED)


@dataclass(frozen=True)
class LoadFacts:
    """One load of a table that the configuration has; `broken`: rows that each rule kept from this destination."""

    record: LineageRecord
    table: TableConfig
    configuration: Configuration
    broken: Mapping[str, int]

    @cached_property
    def columns(self) -> tuple[ColumnDefinition, ...]:
        """The source's, as the load found them, else as they are known; none where they are not."""
        definition = self.configuration.definitions.get(self.table.name)
        found = self.record.next_columns or (definition.columns if definition else ())
        return tuple(column for column in found if not column.gone)

    @cached_property
    def origins(self) -> dict[str, Origin]:
        return column_origins(self.table, self.columns)


def inputs_of(load: LoadFacts) -> list[InputDataset]:
    source = source_dataset(load.table, load.configuration.settings)
    return [_input(load, source)] if source else []


def outputs_of(load: LoadFacts) -> list[OutputDataset]:
    spec = known_destinations().get(load.record.destination)
    server = load.configuration.settings.server(load.record.destination) if spec else None
    config = load.table.loads.get(load.record.destination)
    if spec is None or server is None or config is None:
        return []
    target = spec.dataset(server, config)
    facets = _output_facets(load, has_source_types=spec.holds.has_source_types)
    return [
        OutputDataset(target.namespace, target.name, facets=facets, outputFacets={"outputStatistics": _written(load)})
    ]


def source_dataset(table: TableConfig, settings: Settings) -> Dataset | None:
    """None where no server is configured to read from."""
    source = table.source
    if isinstance(source, FileSource):
        return _files(source.path)
    return settings.source.dataset(source.schema_name, source.table) if settings.source else None


def _files(path: str) -> Dataset:
    """A URI's user, which may be a key, is no part of its name."""
    if "://" not in path:
        return Dataset("file", path)
    uri = urlsplit(path)
    scheme = "s3" if uri.scheme in ("s3a", "s3n") else uri.scheme
    return Dataset(f"{scheme}://{uri.netloc.rpartition('@')[2]}", uri.path.strip("/"))


def _input(load: LoadFacts, source: Dataset) -> InputDataset:
    record = load.record
    facets: dict[str, DatasetFacet] = {}
    if load.columns:
        facets["schema"] = _schema({column.name: column.type for column in load.columns})
    statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
        rowCount=record.rows_read, fileCount=record.files_read
    )
    told: dict[str, InputDatasetFacet] = {"inputStatistics": statistics}
    # a source that is unchanged was not read again, nor were its rows checked
    were_asked = record.next_columns is not None
    if found := check_assertions(load.table, load.broken, load.origins, were_asked=were_asked):
        told["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(found)
    return InputDataset(source.namespace, source.name, facets=facets, inputFacets=told)


def _output_facets(load: LoadFacts, *, has_source_types: bool) -> dict[str, DatasetFacet]:
    """Columns only where they are known exactly: a class of the user's may add others, or make others of them."""
    facets: dict[str, DatasetFacet] = {}
    if load.columns and not load.table.transform.transformer:
        left = columns_left(load.table.transform, TableDefinition(load.table.name, load.columns))
        facets["schema"] = _schema(left if has_source_types else dict.fromkeys(left, ""))
        if lineage := _column_lineage(load):
            facets["columnLineage"] = lineage
    if load.record.mode is WriteMode.OVERWRITE and load.record.status == LoadStatus.SUCCESS:
        facets["lifecycleStateChange"] = lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
            lifecycle_state_change_dataset.LifecycleStateChange.OVERWRITE
        )
    return facets


def _schema(columns: Mapping[str, str]) -> schema_dataset.SchemaDatasetFacet:
    return schema_dataset.SchemaDatasetFacet([
        schema_dataset.SchemaDatasetFacetFields(name, type or None, ordinal_position=place)
        for place, (name, type) in enumerate(columns.items(), start=1)
    ])  # fmt: skip


def _column_lineage(load: LoadFacts) -> column_lineage_dataset.ColumnLineageDatasetFacet | None:
    source = source_dataset(load.table, load.configuration.settings)
    if source is None:
        return None
    return column_lineage_dataset.ColumnLineageDatasetFacet({
        name: column_lineage_dataset.Fields([*_input_fields(source, origin)])
        for name, origin in load.origins.items()
        if origin.columns
    })  # fmt: skip


def _input_fields(source: Dataset, origin: Origin) -> Iterable[column_lineage_dataset.InputField]:
    how = column_lineage_dataset.Transformation(
        "DIRECT", "IDENTITY" if origin.is_identity else "TRANSFORMATION", masking=origin.is_hidden
    )
    for column in origin.columns:
        yield column_lineage_dataset.InputField(source.namespace, source.name, column, [how])


def _written(load: LoadFacts) -> output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet:
    record = load.record
    is_published = record.status in _PUBLISHED
    return output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=record.rows_inserted + record.rows_updated if is_published else 0,
        size=record.bytes_written if is_published else 0,
    )
