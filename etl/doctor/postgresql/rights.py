"""Schemas to make tables in, and rights on tables that stand: what is lacking, and the GRANT that mends it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from etl.doctor.findings import Answer, failed, ok, some
from etl.doctor.postgresql.server import Server
from etl.statements.quoting import postgresql_identifier, postgresql_name

Place = tuple[str, str]
"""Schema and table."""
Look = Callable[[Server], Answer]


@dataclass(frozen=True)
class StandingTable:
    place: Place
    is_owned: bool
    rights: frozenset[str]

    def __str__(self) -> str:
        return ".".join(self.place)


def standing(server: Server, places: Collection[Place]) -> list[StandingTable]:
    schemas, names = zip(*places, strict=True) if places else ((), ())
    rows = server.ask("standing_tables", {"schemas": list(schemas), "tables": list(names)})
    return [
        StandingTable((row["schema_name"], row["table_name"]), row["is_owner"], frozenset(row["rights"]))
        for row in rows
    ]


def schemas(server: Server, make_in: Collection[str], use: Collection[str] = ()) -> Answer:
    """`make_in`: to make tables in, and where it does not stand the schema itself. `use`: whose tables all stand."""
    rows = server.ask("schemas", {"names": list(dict.fromkeys([*make_in, *use]))})
    role, database = postgresql_identifier(server.user), postgresql_identifier(server.facts["database_name"])
    lacking, steps = [], []
    for row in rows:
        wanted = {"USAGE": row["may_use"], "CREATE": row["may_create"] or row["name"] not in make_in}
        rights = ", ".join(right for right, is_held in wanted.items() if not is_held)
        if row["stands"] and rights:
            lacking.append(f"{rights} on schema {row['name']}")
            steps.append(f"GRANT {rights} ON SCHEMA {postgresql_identifier(row['name'])} TO {role};")
    missing = [row["name"] for row in rows if not row["stands"]]
    if missing and not server.facts["may_create_schema"]:
        lacking.append(f"CREATE on database {server.facts['database_name']}, to make schema {some(missing)}")
        steps.append(f"GRANT CREATE ON DATABASE {database} TO {role};")
    if lacking:
        expected = "USAGE and CREATE on the schemas, or CREATE on the database for those that do not stand"
        return failed(f"{server.user} lacks {'; '.join(lacking)}", expected=expected, next_step=" ".join(steps))
    return ok(f"{server.user} may make tables in {some(make_in)}" if make_in else f"{server.user} may use {some(use)}")


def tables(server: Server, found: Sequence[StandingTable], needed: Mapping[Place, Collection[str]]) -> Answer:
    lacking = {each: [right for right in needed[each.place] if right not in each.rights] for each in found}
    lacking = {each: rights for each, rights in lacking.items() if rights}
    if not lacking:
        return ok(f"{server.user} may read and write those that stand: {len(found)} of {len(needed)}")
    return failed(
        f"{server.user} lacks " + some(f"{', '.join(rights)} on {each}" for each, rights in lacking.items()),
        expected="the rights that the loads of these tables need",
        next_step=" ".join(_grants(lacking, postgresql_identifier(server.user))),
    )


def _grants(lacking: Mapping[StandingTable, Sequence[str]], role: str) -> Iterable[str]:
    by_rights: dict[str, list[str]] = {}
    for each, rights in lacking.items():
        by_rights.setdefault(", ".join(rights), []).append(postgresql_name(*each.place))
    for rights_, names in by_rights.items():
        yield f"GRANT {rights_} ON {', '.join(names)} TO {role};"
