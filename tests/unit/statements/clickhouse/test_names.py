from etl.statements.clickhouse.names import run_token, run_token_of, staging_names, staging_prefix


def test_names_say_target_run_and_attempt() -> None:
    names = staging_names("db", "users", "run-7", "ab1")
    prefix = staging_prefix("db", "users")

    assert prefix.startswith("_stg_")
    assert names.attempt(3, 12) == f"{prefix}run-7_ab1_p3_a12"
    assert [names.new, names.changes, names.raw] == [f"{prefix}run-7_ab1_{what}" for what in ("new", "changes", "raw")]


def test_targets_of_other_names_and_databases_have_other_prefixes() -> None:
    assert len({staging_prefix("a", "b"), staging_prefix("a", "c"), staging_prefix("d", "b")}) == 3


def test_a_run_id_that_cannot_stand_in_a_name_becomes_a_digest_of_bounded_length() -> None:
    for odd in ("run_1", "2025-01-01T00:00:00+00:00", "x" * 300, "`; DROP TABLE u"):
        token = run_token(odd)
        assert token != odd
        assert token.isalnum()
        assert len(token) == 20


def test_the_run_is_found_again_in_every_name() -> None:
    for run_id in ("run-7", "run_7"):
        names = staging_names("db", "users", run_id, "ab1")
        for name in (names.new, names.raw, names.attempt(1, 2)):
            assert run_token_of(staging_prefix("db", "users"), name) == run_token(run_id)
