"""What a target has beside its columns and rows, its TTL and its codecs, follows the entry: also after CREATE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.load.clickhouse.marker import StatedTtl, stated_ttl
from etl.load.clickhouse.target import CODECS, TargetTable
from etl.statements.clickhouse.tables import TableShape, modify_codecs
from etl.statements.clickhouse.ttl import count_expired, expired, format_ttl, modify_ttl


@dataclass(frozen=True)
class Properties:
    """`ttl` is the entry's as the server writes it, and `alters_ttl` whether the target has another one; `recoded` are
    the columns that are to get `codec`. `kept_ttl` is somebody else's, which the entry says nothing of."""

    ttl: str = ""
    alters_ttl: bool = False
    codec: str = ""
    recoded: tuple[str, ...] = ()
    kept_ttl: str = ""
    rows_past_ttl: int | None = None

    @property
    def differ(self) -> bool:
        return self.alters_ttl or bool(self.recoded)

    def of(self, shape: TableShape) -> TableShape:
        """The target's shape once it has them."""
        columns = tuple(
            replace(column, codec=self.codec) if column.name in self.recoded else column for column in shape.columns
        )
        return replace(shape, columns=columns, ttl=self.ttl if self.alters_ttl else shape.ttl)

    def statements(self, database: str, table: str) -> Iterator[str]:
        if self.recoded:
            yield modify_codecs(database, table, self.recoded, self.codec)
        if self.alters_ttl:
            yield modify_ttl(database, table, self.ttl)

    def notes(self) -> Iterator[str]:
        if self.recoded:
            yield f"{self.codec} in {len(self.recoded)} columns from now on: stored parts take it as they merge"
        if self.alters_ttl and self.ttl:
            rows = "" if self.rows_past_ttl is None else f" ({self.rows_past_ttl} stored rows)"
            yield f"the TTL is {self.ttl} from now on: what is past it goes{rows}"
        elif self.alters_ttl:
            yield "the TTL is removed: no row expires any more"
        if self.kept_ttl:
            yield (
                f"the target has a TTL that its entry does not have and no load has set: {self.kept_ttl}. It stays; "
                "write it into the entry (`ttl`), or ALTER TABLE … REMOVE TTL"
            )


NO_DIFFERENCE = Properties()


def properties_of(door: ClickHouseDoor, config: ClickHouseTableLoadConfig, target: TargetTable) -> Properties:
    """How the target is to be altered. The server formats both TTLs, so that two spellings of one are no difference."""
    codec = CODECS[config.codec]
    found = Properties(
        codec=codec,
        recoded=tuple(
            # a codec that no entry can ask for is somebody's own
            column.name
            for column in target.shape.columns
            if column.codec in CODECS.values() and column.codec != codec
        ),
    )
    if not config.ttl and not target.shape.ttl:
        return found
    entry, stored = _formatted(door, config.ttl or ""), _formatted(door, target.shape.ttl)
    stated = stated_ttl(target.comment)
    if not entry and (stated is None or stated.table != stored):
        return replace(found, kept_ttl=stored)
    is_so = entry == stored or stated == StatedTtl(entry, stored)
    return replace(found, ttl=entry, alters_ttl=not is_so)


def counted(door: ClickHouseDoor, properties: Properties, database: str, table: str) -> Properties:
    """The same, with how many rows a new TTL takes."""
    condition = expired(properties.ttl) if properties.alters_ttl else None
    if not condition:
        return properties
    [[rows]] = door.query(count_expired(database, table, condition))
    return replace(properties, rows_past_ttl=int(rows))


def ttl_to_remember(door: ClickHouseDoor, config: ClickHouseTableLoadConfig, stored: str) -> StatedTtl | None:
    """For the target's comment; `stored` is the TTL that stands in the table."""
    if not config.ttl:
        return None
    return StatedTtl(_formatted(door, config.ttl), _formatted(door, stored))


def _formatted(door: ClickHouseDoor, ttl: str) -> str:
    return str(door.query(format_ttl(ttl))[0][0]) if ttl else ""
