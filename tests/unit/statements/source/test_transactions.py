import pytest

from etl.statements.source.transactions import Transactions, spanning, transaction_number, written_by

EPOCH = 2**32


@pytest.mark.parametrize(
    ("transactions", "expected"),
    [
        (
            Transactions(739, 742),
            "(xidsend(xmin) >= decode('000002e3', 'hex') AND xidsend(xmin) <= decode('000002e5', 'hex'))",
        ),
        (
            Transactions(7 * EPOCH + 739, 7 * EPOCH + 740),
            "(xidsend(xmin) >= decode('000002e3', 'hex') AND xidsend(xmin) <= decode('000002e3', 'hex'))",
        ),
        # the counter has begun anew
        (
            Transactions(EPOCH - 2, EPOCH + 4),
            "(xidsend(xmin) >= decode('fffffffe', 'hex') OR xidsend(xmin) <= decode('00000003', 'hex'))",
        ),
        (Transactions(742, 742), "false"),
        (Transactions(742, 740), "false"),
        # a row's half of the number may mean another one
        (Transactions(5, 5 + EPOCH), "true"),
    ],
)
def test_written_by(transactions: Transactions, expected: str) -> None:
    assert written_by(transactions) == expected


def test_a_row_of_no_such_transaction_has_no_number() -> None:
    assert transaction_number(Transactions(742, 742)) == (
        "CASE WHEN false THEN 742 + (xmin::text::bigint - 742 + 4294967296) % 4294967296 END"
    )


def test_one_span_holds_all() -> None:
    assert spanning([]) is None
    assert spanning([Transactions(5, 9), Transactions(3, 9)]) == Transactions(3, 9)
