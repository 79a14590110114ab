from hookline.core.ids import attempt_id, delivery_id


def test_a_repeat_has_the_same_id() -> None:
    assert delivery_id("acct_1", "evt_1", "wh_1") == delivery_id("acct_1", "evt_1", "wh_1")


def test_every_part_counts_and_none_runs_into_the_next() -> None:
    ids = [
        delivery_id(*parts)
        for parts in (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("a", "b", "d"), ("a", "c", "b"))
    ]
    assert len(set(ids)) == len(ids)


def test_ids_bear_the_contracts_prefixes() -> None:
    assert delivery_id("a", "b", "c").startswith("delivery_")
    assert attempt_id("delivery_1", 0, 1, 0).startswith("log_")


def test_a_request_made_twice_is_two_attempts() -> None:
    assert attempt_id("delivery_1", 0, 1, 1_000) != attempt_id("delivery_1", 0, 1, 1_001)
