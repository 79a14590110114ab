"""The replay role on a real Kafka and a real store: what jobs send, and what they leave."""

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.configuration import short_settings, subscription
from fakes.kafka import make_topics, read, write
from fakes.replaying import (
    HOUR_MS,
    NOW_MS,
    ask,
    commit_all,
    configure,
    event_ids,
    events,
    job_for,
    on_record,
    outcome,
    publish,
    records_of,
    replayer,
    sent,
    until_over,
)
from fakes.road import CODEC
from hookline.core.ids import attempt_id, delivery_id
from hookline.runtime.settings import Settings
from hookline.schemas.records import (
    Attempt,
    Delivery,
    Event,
    JobKind,
    JobState,
    Outcome,
    Place,
    Subscription,
    SubscriptionStatus,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


@pytest.fixture
def on_store(settings: Settings, store_settings: Settings) -> Settings:
    """The same with each kind of history store."""
    return replace(settings, history_url=store_settings.history_url)


@pytest.fixture
def settings(bootstrap: str, prefix: str, tmp_path: Path) -> Settings:
    made = short_settings(bootstrap, prefix, data_dir=tmp_path)
    make_topics(bootstrap, made.topics())
    return made


async def test_a_replay_sends_what_a_subscription_never_got_and_nothing_else(on_store: Settings) -> None:
    settings = on_store
    to, other = subscription("http://127.0.0.1:1/", "order.*"), events(5, account_id="acct_other")
    to = replace(to, created_at_ms=NOW_MS - 2 * HOUR_MS)
    got, failed, waits, missed = events(5), events(5), events(5), events(5)
    unwanted = events(5, "user.created")
    configure(settings, to)
    publish(settings, [*other, *got, *failed, *waits, *missed, *unwanted], at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    await on_record(
        settings,
        *(outcome(each, to, at_ms=NOW_MS - HOUR_MS) for each in got),
        *(outcome(each, to, Outcome.FAILED, at_ms=NOW_MS - HOUR_MS) for each in failed),
        *(outcome(each, to, Outcome.FAILED, at_ms=NOW_MS - HOUR_MS, next_ms=NOW_MS) for each in waits),
    )
    job = job_for(to)
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    found = sent(settings)
    assert sorted(event_ids(found)) == sorted(event_ids([*failed, *missed]))
    assert {(each.run, each.job_id, each.attempt, each.origin) for each in found} == {(job.run, job.job_id, 1, None)}
    assert {each.subscription_id for each in found} == {to.subscription_id}
    assert (ended.state, ended.sent, ended.left_out, ended.lost) == (JobState.DONE, 10, 10, 0)
    assert ended.looked_at == 25  # of `events.order`, whoever they are for
    assert ended.positions == ()


async def test_a_replay_s_run_is_the_newest_and_what_it_has_sent_already_is_left_out(on_store: Settings) -> None:
    settings, late = on_store, NOW_MS + HOUR_MS  # asked for after the job, or when the clock was ahead
    to = replace(subscription("http://127.0.0.1:1/", "order.*"), created_at_ms=NOW_MS - 2 * HOUR_MS)
    job = job_for(to)
    missed, older, newer, own = events(4)
    configure(settings, to)
    publish(settings, [missed, older, newer, own], at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    runs = {older.event_id: 0, newer.event_id: late, own.event_id: late}
    failed = [outcome(each, to, Outcome.FAILED, at_ms=NOW_MS, run=runs[each.event_id]) for each in (older, newer, own)]
    await on_record(settings, *failed[:2], replace(failed[2], job_id=job.job_id))
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    found = {each.event_id: each.run for each in sent(settings)}
    assert found == {missed.event_id: job.run, older.event_id: job.run, newer.event_id: late + 1}
    assert (ended.sent, ended.left_out, ended.lost) == (3, 1, 0)


async def test_everything_is_sent_if_it_is_asked_for(settings: Settings) -> None:
    to, got, missed = subscription("http://127.0.0.1:1/", "*"), events(3), events(3)
    configure(settings, to)
    publish(settings, [*got, *missed], at_ms=NOW_MS - HOUR_MS)
    await on_record(settings, *(outcome(each, to, at_ms=NOW_MS - HOUR_MS) for each in got))
    job = job_for(to, everything=True)
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    assert sorted(event_ids(sent(settings))) == sorted(event_ids([*got, *missed]))
    assert (ended.sent, ended.left_out) == (6, 0)


async def test_a_replay_is_of_the_time_and_the_types_that_were_asked_for(settings: Settings) -> None:
    to = subscription("http://127.0.0.1:1/", "order.*", "user.*")
    early, within, late = events(3), events(3), events(3)
    configure(settings, to)
    publish(settings, early, at_ms=NOW_MS - 3 * HOUR_MS)
    publish(settings, [*within, *events(3, "order.completed"), *events(3, "user.created")], at_ms=NOW_MS - 2 * HOUR_MS)
    publish(settings, late, at_ms=NOW_MS - HOUR_MS)
    commit_all(settings)
    since_ms, until_ms = NOW_MS - 2 * HOUR_MS, NOW_MS - HOUR_MS
    job = job_for(to, since_ms=since_ms, until_ms=until_ms, events=("order.created",))
    async with replayer(settings):
        ask(settings, job)
        await until_over(settings, job)
    assert sorted(event_ids(sent(settings))) == sorted(event_ids(within))
    read_in = {each.topic for record in records_of(settings, job) for each in record.positions}
    assert read_in == {settings.topics().events("order.created")}


async def test_a_new_subscription_gets_what_happened_before_it_was_there_in_order_of_each_entity(
    settings: Settings,
) -> None:
    of_one, of_another = events(40), events(40)
    publish(settings, of_one, at_ms=NOW_MS - HOUR_MS, key=b"order_1")
    publish(settings, of_another, at_ms=NOW_MS - HOUR_MS, key=b"order_2")
    commit_all(settings)
    async with replayer(settings):
        to = subscription("http://127.0.0.1:1/", "order.created")
        job = job_for(to)
        configure(settings, to)
        ask(settings, job)
        await until_over(settings, job)
    found = event_ids(sent(settings))
    for each in (of_one, of_another):
        assert [found_id for found_id in found if found_id in event_ids(each)] == event_ids(each)
    assert len(found) == 80


async def test_what_can_not_be_read_or_is_too_large_stops_nothing(settings: Settings) -> None:
    small = replace(settings, body_bytes_max=1_000)
    to, fine, large = subscription("http://127.0.0.1:1/", "order.created"), events(2), events(1)[0]
    large = replace(large, data={**large.data, "id": "x" * 2_000})
    configure(settings, to)
    broken = [b"no Avro", b"\xc3\x01" + bytes(8), b"\xc3\x01" + bytes(8) + b"acct_test"]
    publish(settings, [*broken[:2], fine[0], large, broken[2], fine[1]], at_ms=NOW_MS - HOUR_MS, key=b"k")
    commit_all(settings)
    job = job_for(to)
    async with replayer(small):
        ask(settings, job)
        ended = await until_over(settings, job)
    assert event_ids(sent(settings)) == event_ids(fine)
    assert (ended.state, ended.looked_at, ended.sent, ended.lost) == (JobState.DONE, 6, 2, 1)
    assert ended.detail == "Records that name your account could not be read, and were passed over."


async def test_recover_sends_what_failed_for_good_if_kafka_still_has_it(on_store: Settings) -> None:
    settings = on_store
    to = subscription("http://127.0.0.1:1/", "order.created")
    failed, expired, gone, got, outside = (events(2) for _ in range(5))
    configure(settings, to)
    at_ms = NOW_MS - HOUR_MS
    bodies = [delivered(each, to) for each in (*failed, *expired, *outside)]
    write(settings.bootstrap_servers, settings.topics().deliveries, bodies)
    places = {
        CODEC.decode(each.value, Delivery).event_id: Place(partition=each.partition, offset=each.offset)
        for each in read(settings.bootstrap_servers, settings.topics().deliveries)
    }
    nowhere = Place(partition=0, offset=1_000_000)
    await on_record(
        settings,
        *(outcome(each, to, Outcome.FAILED, at_ms=at_ms, origin=places[each.event_id]) for each in failed),
        *(outcome(each, to, Outcome.EXPIRED, at_ms=at_ms, origin=places[each.event_id]) for each in expired),
        *(outcome(each, to, Outcome.FAILED, at_ms=at_ms, origin=nowhere) for each in gone),
        *(outcome(each, to, at_ms=at_ms) for each in got),
        *(outcome(each, to, Outcome.FAILED, at_ms=1_000, origin=places[each.event_id]) for each in outside),
    )
    job = job_for(to, JobKind.RECOVER, since_ms=at_ms)
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    found = sent(settings)
    assert sorted(event_ids(found)) == sorted(event_ids([*failed, *expired]))
    assert {(each.run, each.job_id, each.attempt, each.origin, each.body) for each in found} == {
        (job.run, job.job_id, 1, None, b"{}")
    }
    assert (ended.state, ended.sent, ended.lost, ended.looked_at) == (JobState.DONE, 4, 2, 8)


async def test_cancelled_retries_are_put_on_record_and_newer_runs_are_not(on_store: Settings) -> None:
    settings = on_store
    cut_ms = NOW_MS - HOUR_MS
    to = replace(subscription("http://127.0.0.1:1/", "order.created"), cancelled_before_ms=cut_ms)
    configure(settings, replace(to, status=SubscriptionStatus.PAUSED))  # what is cancelled waits for nobody
    before_ms = cut_ms - 60_001  # clocks may differ by a minute
    retried, held, newer, again, got, doubtful = events(6)
    await on_record(
        settings,
        replace(outcome(retried, to, Outcome.FAILED, at_ms=before_ms, attempt=3, next_ms=NOW_MS), job_id="job_x"),
        outcome(held, to, Outcome.POSTPONED, at_ms=before_ms, attempt=2, next_ms=NOW_MS),
        outcome(newer, to, Outcome.FAILED, at_ms=cut_ms + 10, next_ms=NOW_MS),
        outcome(again, to, Outcome.FAILED, at_ms=cut_ms - 10),
        outcome(again, to, Outcome.FAILED, at_ms=cut_ms + 10, run=cut_ms + 5, next_ms=NOW_MS),
        outcome(got, to, at_ms=cut_ms - 10),
        outcome(doubtful, to, Outcome.FAILED, at_ms=cut_ms - 60_000, next_ms=NOW_MS),
    )
    job = job_for(to, JobKind.CANCEL_RETRIES)
    async with replayer(settings):
        ask(settings, job)
        ended = await until_over(settings, job)
    lying = read(settings.bootstrap_servers, settings.topics().attempts)
    found = {each.event_id: each for each in (CODEC.decode(each.value, Attempt) for each in lying)}
    assert {each: (found[each].attempt, found[each].run) for each in found} == {
        retried.event_id: (4, 0),
        held.event_id: (2, 0),
    }
    first = found[retried.event_id]
    assert (first.outcome, first.error, first.started_at_ms) == (Outcome.CANCELLED, "retries_cancelled", cut_ms)
    assert first.attempt_id == attempt_id(first.delivery_id, 0, 4, cut_ms)
    assert (first.job_id, found[held.event_id].job_id) == ("job_x", None)  # as the dispatcher's own record has it
    assert (ended.state, ended.sent, ended.left_out) == (JobState.DONE, 2, 2)


def delivered(event: Event, to: Subscription) -> tuple[bytes, bytes]:
    """An event's first record on `webhooks.deliveries`."""
    first = Delivery(
        delivery_id=delivery_id(event.account_id, event.event_id, to.subscription_id),
        account_id=to.account_id,
        subscription_id=to.subscription_id,
        event_id=event.event_id,
        event_type=event.type,
        body=b"{}",
        config_offset=0,
        created_at_ms=NOW_MS,
        source_at_ms=NOW_MS,
    )
    return to.subscription_id.encode(), CODEC.encode(first)
