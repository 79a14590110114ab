from dataclasses import replace

import pytest

from fakes.fanout import CODEC, event
from hookline.core.sieve import Sieve
from hookline.schemas.errors import ContractError

ORDER = event(1)
VALUE = CODEC.encode_event(ORDER)
ACCOUNT = ORDER.account_id.encode()


def sieve(*subscribed: str, events: tuple[str, ...] = (), account_id: str = ORDER.account_id) -> Sieve:
    return Sieve(CODEC, account_id=account_id, subscribed=subscribed, events=events, since_ms=1_000, until_ms=2_000)


@pytest.mark.parametrize(
    ("subscribed", "events", "is_wanted"),
    [
        (("order.created",), (), True),
        (("order.*",), (), True),
        (("*",), ("order.created",), True),
        (("*",), ("order.*",), True),
        (("user.*",), (), False),
        (("user.*",), ("order.created",), False),
        (("*",), ("user.created",), False),
    ],
)
def test_types_are_wanted_by_the_subscription_and_by_the_job(
    subscribed: tuple[str, ...], events: tuple[str, ...], is_wanted: bool
) -> None:
    found = sieve(*subscribed, events=events).picked(1_500, VALUE)
    assert found == (ORDER if is_wanted else None)


@pytest.mark.parametrize(("at_ms", "is_wanted"), [(999, False), (1_000, True), (1_999, True), (2_000, False)])
def test_the_time_of_the_record_counts(at_ms: int, is_wanted: bool) -> None:
    assert (sieve("*").picked(at_ms, VALUE) is not None) is is_wanted


def test_another_accounts_event_is_not_picked_even_if_it_holds_the_accounts_id() -> None:
    foreign = replace(event(2, account_id="acct_other"), event_id=ORDER.account_id)
    assert sieve("*").picked(1_500, CODEC.encode_event(event(2, account_id="acct_other"))) is None
    assert sieve("*").picked(1_500, CODEC.encode_event(foreign)) is None


@pytest.mark.parametrize("value", [b"no Avro " + ACCOUNT, VALUE[:2] + bytes(8) + ACCOUNT, VALUE[:-1]])
def test_what_names_the_account_and_is_no_event_is_said_to_be_none(value: bytes) -> None:
    with pytest.raises(ContractError):
        sieve("*").picked(1_500, value)
    assert sieve("*").picked(2_000, value) is None


@pytest.mark.parametrize("value", [None, b"", b"no Avro", VALUE[:2] + bytes(8), VALUE[:2] + b"acct_other"])
def test_of_what_others_broke_nothing_is_said(value: bytes | None) -> None:
    assert sieve("*").picked(1_500, value) is None
