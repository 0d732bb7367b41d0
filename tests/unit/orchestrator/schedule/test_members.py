from __future__ import annotations

from etl.orchestrator.schedule.members import Members

EDGES = {
    "bronze": {"silver", "own"},
    "silver": {"gold"},
    "own": {"behind", "gold"},
}
PARENTS = {"silver": {"bronze"}, "own": {"bronze"}, "gold": {"silver", "own"}, "behind": {"own"}}
MEMBERS = Members(
    jobs=frozenset({"bronze", "silver", "own", "gold", "behind", "alone"}),
    children={slug: frozenset(found) for slug, found in EDGES.items()},
    parents={slug: frozenset(found) for slug, found in PARENTS.items()},
    scheduled=frozenset({"bronze", "own"}),
    disabled=frozenset(),
)


def test_descendants_follow_unless_a_schedule_is_in_between() -> None:
    assert MEMBERS.following("bronze") == {"silver", "gold"}
    assert MEMBERS.following("own") == {"behind", "gold"}
    assert MEMBERS.following("gold") == set()
    assert MEMBERS.descendants("bronze") == {"silver", "own", "gold", "behind"}


def test_a_job_goes_by_its_own_clock_or_the_nearest() -> None:
    assert MEMBERS.clock_of("own") == "own"
    assert MEMBERS.clock_of("silver") == "bronze"
    assert MEMBERS.clock_of("gold") == "own"
    assert MEMBERS.clock_of("alone") is None
