from etl.load.clickhouse.marker import PublishedLoad, add_load, published_loads
from etl.model import Destination, LoadResult, WriteMode

RESULT = LoadResult(
    "t", Destination.CLICKHOUSE, "db.t", WriteMode.MERGE, 7, 1, 2, 3, 1, 0, rows_deleted=5, bytes_written=9, seconds=1.5
)


def test_a_load_comes_back_from_the_comment_as_it_was() -> None:
    comment = add_load("", PublishedLoad.of(RESULT, "run-1", "a"))

    [load] = published_loads(comment)
    assert (load.run_id, load.load_id) == ("run-1", "a")
    assert load.result("t", "db.t") == RESULT


def test_the_newest_load_stands_first_and_old_ones_are_forgotten() -> None:
    comment = ""
    for number in range(20):
        comment = add_load(comment, PublishedLoad.of(RESULT, f"run-{number}", "a"))

    assert [load.run_id for load in published_loads(comment)] == [f"run-{number}" for number in range(19, 11, -1)]


def test_a_comment_of_the_operators_own_is_kept() -> None:
    for own in ("our table", '{"team": "media"}', "[1]"):
        comment = add_load(
            add_load(own, PublishedLoad.of(RESULT, "run-1", "a")), PublishedLoad.of(RESULT, "run-2", "b")
        )
        assert len(published_loads(comment)) == 2
        assert published_loads(own) == []
        assert comment.startswith('{"comment":')
