from collections.abc import Sequence

from fakes.configuration import ACCOUNT
from fakes.fanout import CODEC, ORDERS, Configuration, bench, event, source, wants_orders
from hookline.core.fanout import Source, fan_out, too_large, unreadable
from hookline.core.ids import delivery_id
from hookline.processors.composer import Outgoing
from hookline.runtime.metrics import reading
from hookline.schemas.records import DeadLetter, DeathReason, Delivery, Subscription


def fanned(number: int = 1, count: int = 2) -> list[Delivery]:
    return fan_out(event(number), wants_orders(count), body=b"{}", config_offset=7, now_ms=2_000, source_at_ms=1_000)


def buried(outgoing: Outgoing) -> DeadLetter:
    assert outgoing.key is None
    return CODEC.decode(outgoing.value, DeadLetter)


def test_an_event_becomes_one_delivery_for_each_subscription() -> None:
    subscriptions = wants_orders(3)
    made = fan_out(event(1), subscriptions, body=b"{}", config_offset=7, now_ms=2_000, source_at_ms=1_000)
    assert [each.subscription_id for each in made] == [each.subscription_id for each in subscriptions]
    assert {each.body for each in made} == {b"{}"}


def test_a_delivery_asks_for_its_first_attempt_and_carries_what_the_fan_out_saw() -> None:
    made = fanned()[0]
    assert (made.run, made.attempt, made.postponed, made.is_test, made.origin) == (0, 1, 0, False, None)
    assert (made.config_offset, made.created_at_ms, made.source_at_ms) == (7, 2_000, 1_000)
    assert (made.account_id, made.event_id, made.event_type) == (ACCOUNT, "evt_1", "order.created")


def test_a_repeat_has_the_same_id() -> None:
    (wanted,) = wants_orders(1)
    seen = {
        fan_out(event(1), [wanted], body=body, config_offset=at, now_ms=at, source_at_ms=at)[0].delivery_id
        for at, body in enumerate((b"{}", b"[]"))
    }
    assert seen == {delivery_id(ACCOUNT, "evt_1", wanted.subscription_id)}


def test_an_event_that_nobody_wants_becomes_nothing() -> None:
    assert not fan_out(event(1), [], body=b"{}", config_offset=0, now_ms=0, source_at_ms=0)


def test_an_unreadable_record_is_buried_with_its_place_and_its_bytes() -> None:
    letter = unreadable(Source("t", 3, 9, 0, b"junk"), detail="no", payload_bytes_max=4, now_ms=5)
    assert (letter.topic, letter.partition, letter.offset, letter.at_ms) == ("t", 3, 9, 5)
    assert (letter.reason, letter.payload, letter.payload_bytes) == (DeathReason.UNREADABLE, b"junk", 4)


def test_of_a_large_unreadable_record_only_its_size_is_kept() -> None:
    letter = unreadable(Source("t", 3, 9, 0, b"junk!"), detail="no", payload_bytes_max=4, now_ms=5)
    assert (letter.payload, letter.payload_bytes) == (None, 5)


def test_of_a_null_there_are_no_bytes() -> None:
    assert unreadable(Source("t", 3, 9, 0, None), detail="no", payload_bytes_max=4, now_ms=5).payload_bytes == 0


def test_an_event_over_the_limit_is_buried_by_name_and_without_its_bytes() -> None:
    letter = too_large(Source("t", 3, 9, 0, b"12345"), event(1), body_bytes=300, body_bytes_max=200, now_ms=5)
    assert (letter.reason, letter.payload, letter.payload_bytes) == (DeathReason.TOO_LARGE, None, 5)
    assert (letter.account_id, letter.event_id, letter.event_type) == (ACCOUNT, "evt_1", "order.created")
    assert "300" in letter.detail
    assert "200" in letter.detail


def test_a_composed_delivery_is_keyed_by_subscription_and_holds_the_rendered_body() -> None:
    parts = bench()
    (wanted,) = wants_orders(1)
    parts.configuration.put(wanted)
    (outgoing,) = parts.composer.compose(source(1))
    made = CODEC.decode(outgoing.value, Delivery)
    assert outgoing.topic.endswith("webhooks.deliveries")
    assert outgoing.key == wanted.subscription_id.encode()
    assert made.body.startswith(b'{"event":"order.created","timestamp":"2023-06-20T14:15:30Z","data":{')
    assert made.config_offset == 1


def test_events_of_unknown_accounts_become_nothing() -> None:
    parts = bench()
    parts.configuration.put(wants_orders(1)[0])
    foreign = CODEC.encode_event(event(1, account_id="acct_unknown"))
    assert not parts.composer.compose(source(1, value=foreign))


def test_unreadable_values_are_buried_one_by_one() -> None:
    parts = bench()
    whole = CODEC.encode_event(event(1))
    for value in (None, b"", b"\xc3\x01", b"garbage", whole[:-3], whole + b"!", CODEC.encode(fanned()[0])):
        (outgoing,) = parts.composer.compose(source(4, value=value))
        letter = buried(outgoing)
        assert (letter.reason, letter.topic, letter.offset) == (DeathReason.UNREADABLE, ORDERS, 4)
        assert letter.payload == (value or b"")
    rejected = reading(parts.metrics.registry, "hookline_events_rejected_total", {"reason": "unreadable"})
    assert rejected == 7


def test_an_oversized_event_is_buried_although_nobody_wants_it() -> None:
    parts = bench(body_bytes_max=100)
    letter = buried(parts.composer.compose(source(1))[0])
    assert (letter.reason, letter.payload, letter.event_id) == (DeathReason.TOO_LARGE, None, "evt_1")


class Broken(Configuration):
    """A view with a bug in it."""

    def matching(self, account_id: str, event_type: str) -> Sequence[Subscription]:
        raise ZeroDivisionError(f"{account_id} {event_type}")


def test_a_bug_that_one_event_meets_stops_nothing_and_quotes_nothing() -> None:
    parts = bench(configuration=Broken())
    letter = buried(parts.composer.compose(source(1))[0])
    assert letter.reason is DeathReason.UNREADABLE
    assert letter.detail == "ZeroDivisionError while it was read"
    assert CODEC.decode_event(letter.payload) == event(1)
