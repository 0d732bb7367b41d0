"""Chance as a function: repeatable, independent of chunks, and shaped as promised."""

from __future__ import annotations

import numpy as np

from etl.sample.draw import Draw, hash_rows

ROWS = np.arange(40_000)
PINNED_BITS = [5312124350385161663, 33694002624528187, 5364443115602113628]


def test_a_value_depends_on_seed_table_column_and_row_alone() -> None:
    whole = Draw(1, "users", ROWS).uniform("email")
    assert np.array_equal(whole[500:900], Draw(1, "users", ROWS[500:900]).uniform("email"))
    for other in (Draw(2, "users", ROWS), Draw(1, "brands", ROWS)):
        assert not np.array_equal(whole, other.uniform("email"))
    assert not np.array_equal(whole, Draw(1, "users", ROWS).uniform("phone"))


def test_bits_of_different_rows_differ() -> None:
    assert len(np.unique(hash_rows(1, "t", "c", ROWS))) == len(ROWS)


def test_these_bits_are_the_samples_promise_across_versions() -> None:
    assert hash_rows(1, "users", "email", np.arange(3)).tolist() == PINNED_BITS


def test_shapes() -> None:
    draw = Draw(3, "t", ROWS)
    assert set(draw.whole("w", 2, 4).tolist()) == {2, 3, 4}
    assert abs(draw.uniform("u").mean() - 0.5) < 0.01
    assert abs(draw.chance("c", 0.2).mean() - 0.2) < 0.01
    assert abs(draw.exponential("e", 30).mean() - 30) < 1
    normal = draw.normal("n", 5, 2)
    assert abs(normal.mean() - 5) < 0.05
    assert abs(normal.std() - 2) < 0.05


def test_weights_are_kept_and_zero_is_never_drawn() -> None:
    drawn = np.bincount(Draw(3, "t", ROWS).weighted("w", (1, 0, 3)), minlength=3)
    assert drawn[1] == 0
    assert abs(drawn[2] / len(ROWS) - 0.75) < 0.01


def test_skew_prefers_the_first_and_reaches_the_last() -> None:
    drawn = Draw(3, "t", ROWS).skewed("s", 50, 3.0)
    assert drawn.min() == 0
    assert drawn.max() == 49
    assert (drawn == 0).sum() > 5 * (drawn == 25).sum()
