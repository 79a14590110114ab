import pytest

from hookline.runtime.membership import Membership


@pytest.mark.parametrize(("since_poll_s", "believes"), [(0.0, True), (4.9, True), (5.1, False)])
def test_a_member_believes_for_half_a_session_after_a_poll(since_poll_s: float, believes: bool) -> None:
    membership = Membership(session_timeout_s=10)
    membership.polled(100)
    assert membership.believes(100 + since_poll_s) is believes


def test_nobody_is_a_member_before_the_first_poll() -> None:
    assert not Membership(session_timeout_s=10).believes(0)


def test_a_process_that_was_paused_waits_for_a_heartbeat_before_it_believes_again() -> None:
    membership = Membership(session_timeout_s=9)
    membership.polled(0)
    membership.polled(20)
    assert not membership.believes(20.1)
    membership.polled(23.1)
    assert membership.believes(23.1)


def test_waiting_in_a_rebalance_keeps_a_member_but_makes_none() -> None:
    membership = Membership(session_timeout_s=10)
    membership.polled(0)
    membership.waits(4)
    assert membership.believes(8)
    membership.waits(30)
    assert not membership.believes(30)
