"""What the loader needs of its target: schemas to make tables in, and rights on those that stand."""

from __future__ import annotations

from collections.abc import Sequence

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.modes import deletes_vanished, finds_by_key
from etl.doctor.findings import Answer, Status, some, warning
from etl.doctor.postgresql import rights
from etl.doctor.postgresql.rights import Look, Place
from etl.doctor.postgresql.server import Server
from etl.model import ConflictResolution, SchemaContract
from etl.statements.postgresql.naming import STAGING_SCHEMA
from etl.statements.quoting import postgresql_identifier, postgresql_name


def checks(loads: Sequence[PostgreSQLTableLoadConfig]) -> dict[str, Look]:
    by_place = {(load.target_schema, load.target_name): load for load in loads}
    return {
        "schemas": lambda server: _schemas(server, list(by_place)),
        "privileges": lambda server: _privileges(server, by_place),
    }


def _schemas(server: Server, places: Sequence[Place]) -> Answer:
    """Loads are staged beside the targets; tables that do not stand are made."""
    standing = {each.place for each in rights.standing(server, places)}
    make_in = dict.fromkeys([STAGING_SCHEMA, *(schema for schema, name in places if (schema, name) not in standing)])
    return rights.schemas(server, list(make_in), [schema for schema, _ in places if schema not in make_in])


def _privileges(server: Server, by_place: dict[Place, PostgreSQLTableLoadConfig]) -> Answer:
    found = rights.standing(server, list(by_place))
    answer = rights.tables(server, found, {place: _needed(load) for place, load in by_place.items()})
    foreign = [
        each for each in found if not each.is_owned and by_place[each.place].schema_contract is SchemaContract.EVOLVE
    ]
    if answer.status is not Status.OK or not foreign:
        return answer
    return warning(
        f"{server.user} does not own {some(map(str, foreign))}: a column that the source gets cannot be added there",
        expected="tables that this role owns, or `schema_contract: freeze`",
        next_step=" ".join(
            f"ALTER TABLE {postgresql_name(*each.place)} OWNER TO {postgresql_identifier(server.user)};"
            for each in foreign
        ),
    )


def _needed(load: PostgreSQLTableLoadConfig) -> list[str]:
    updates = finds_by_key(load) and load.conflict_resolution is ConflictResolution.UPDATE
    return ["SELECT", "INSERT", *(["UPDATE"] if updates else []), *(["DELETE"] if deletes_vanished(load) else [])]
