from etl.model import ForeignKey, TableDefinition
from etl.pipeline.order import publication_units


def table(name: str, *parents: str) -> TableDefinition:
    return TableDefinition(name, (), foreign_keys=tuple(ForeignKey(("x",), parent, ("id",)) for parent in parents))


def definitions(*tables: TableDefinition) -> dict[str, TableDefinition]:
    return {each.name: each for each in tables}


def test_parents_come_first() -> None:
    known = definitions(table("c", "b"), table("b", "a"), table("a"))
    assert publication_units(["c", "b", "a"], known) == [("a",), ("b",), ("c",)]


def test_a_self_reference_is_no_cycle() -> None:
    assert publication_units(["a"], definitions(table("a", "a"))) == [("a",)]


def test_a_cycle_is_one_unit_before_its_children() -> None:
    known = definitions(table("child", "head"), table("head", "member"), table("member", "head"))
    units = publication_units(["child", "head", "member"], known)
    assert [sorted(unit) for unit in units] == [["head", "member"], ["child"]]


def test_two_cycles_joined_by_an_edge_stay_apart() -> None:
    known = definitions(table("a", "b"), table("b", "a", "c"), table("c", "d"), table("d", "c"))
    assert [sorted(unit) for unit in publication_units(["a", "b", "c", "d"], known)] == [["c", "d"], ["a", "b"]]


def test_parents_that_were_not_chosen_do_not_count() -> None:
    assert publication_units(["b"], definitions(table("b", "a"), table("a"))) == [("b",)]


def test_tables_without_a_definition_stand_alone() -> None:
    assert publication_units(["x"], {}) == [("x",)]
