"""What a kept snapshot leaves unseen: rather too much than a row too little."""

import pytest

from etl.extract.postgresql.seen import UNKNOWN, SeenSnapshot
from etl.extract.values import Transactions, Unseen

HERE = "7713075218128985626/1"
KEPT = SeenSnapshot(HERE, "740:745:740,743")


def test_it_is_kept_as_text() -> None:
    assert str(KEPT) == "7713075218128985626/1 740:745:740,743"
    assert SeenSnapshot.kept(str(KEPT)) == KEPT


def test_all_from_the_oldest_open_transaction_on_is_unseen() -> None:
    """One between those that were open may be a savepoint of theirs."""
    assert KEPT.open_transactions == Transactions(740, 745)
    assert SeenSnapshot(HERE, "750:750:").unseen(KEPT) == Unseen(Transactions(740, 750))


def test_where_nothing_was_open_and_nothing_has_begun_nothing_is_unseen() -> None:
    assert SeenSnapshot(HERE, "745:745:").unseen(SeenSnapshot(HERE, "745:745:")) == Unseen()


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (
            SeenSnapshot("7713075218128985626/2", "750:750:"),
            "7713075218128985626/1, and it is 7713075218128985626/2 now",
        ),
        (SeenSnapshot(UNKNOWN, "750:750:"), "and it is unknown now"),
        (SeenSnapshot(HERE, "744:744:"), "has come to transaction 744, and had been at 745"),
        (SeenSnapshot(HERE, f"{2**32 + 740}:{2**32 + 740}:"), "4294967296 transactions ago"),
    ],
)
def test_of_another_server_or_another_time_it_tells_nothing(now: SeenSnapshot, reason: str) -> None:
    unseen = now.unseen(KEPT)
    assert unseen.transactions is None and reason in unseen.lost


def test_a_standby_may_be_behind_what_was_read_before() -> None:
    assert SeenSnapshot(HERE, "742:742:", is_behind_another=True).unseen(KEPT) == Unseen(Transactions(740, 742))
    assert SeenSnapshot(HERE, "700:700:", is_behind_another=True).unseen(KEPT) == Unseen()
    unnamed = SeenSnapshot(UNKNOWN, "740:745:")
    assert SeenSnapshot(UNKNOWN, "700:700:", is_behind_another=True).unseen(unnamed).lost
