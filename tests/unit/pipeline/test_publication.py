from etl.model import ForeignKey, TableDefinition
from etl.pipeline.publication import PublicationOrder


def table(name: str, *parents: str) -> TableDefinition:
    return TableDefinition(name, (), foreign_keys=tuple(ForeignKey(("x",), parent, ("id",)) for parent in parents))


DEFINITIONS = {"head": table("head", "member"), "member": table("member", "head"), "child": table("child", "head")}


def test_tables_of_a_cycle_never_wait_for_one_another() -> None:
    """Also where only one of them has anything to load: this returns, or the run would stand still for hours."""
    PublicationOrder(DEFINITIONS, DEFINITIONS).wait_for_parents("head")


def test_a_child_goes_on_once_its_parent_has_ended() -> None:
    order = PublicationOrder(DEFINITIONS, DEFINITIONS)
    order.ended(["head", "member"])
    order.wait_for_parents("child")


def test_parents_outside_the_run_are_not_waited_for() -> None:
    PublicationOrder(["child"], DEFINITIONS).wait_for_parents("child")
