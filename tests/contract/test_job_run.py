"""What one job does when something is in its way: away, too large, gone, or a bug of ours."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest

from fakes.clock import SetClock
from fakes.configuration import account, subscription
from fakes.fanout import event, until
from fakes.job_world import JobWorld, ListedLog
from fakes.judgements import health
from fakes.replaying import event_ids, job_for
from hookline.core.ids import delivery_id
from hookline.core.jobs import Asked
from hookline.core.progress import State
from hookline.core.resending import Known as KnownDelivery
from hookline.runtime.clock import SystemClock
from hookline.schemas.errors import NotYet
from hookline.schemas.records import JobState, JobWish, SubscriptionStatus, Wanted

EVENTS = [event(number) for number in range(20)]
_LATER_MS = 2**53  # than the webhook was made


@dataclass(slots=True)
class Known:
    """A history store that knows these states, and is away for the first so many questions."""

    states_of: Mapping[str, State]
    away: int = 0
    job_id: str | None = None
    error: Exception | None = None
    run: int = 0

    async def states(
        self, *, account_id: str, subscription_id: str, delivery_ids: Sequence[str]
    ) -> Mapping[str, KnownDelivery]:
        if self.error is not None:
            raise self.error
        if self.away:
            self.away -= 1
            raise NotYet("the history store does not answer")
        ids = {delivery_id(account_id, event_id, subscription_id): state for event_id, state in self.states_of.items()}
        return {
            each: KnownDelivery(ids[each], ids[each] is State.SUCCEEDED, _LATER_MS, self.job_id, self.run)
            for each in delivery_ids
            if each in ids
        }


def world(*, everything: bool = True, rate: int = 1_000_000) -> JobWorld:
    to = subscription("https://example.com/", "order.created")
    random = Random(1)  # noqa: S311 - the same every time
    return JobWorld(job_for(to, everything=everything, rate=rate), to, ListedLog([EVENTS], random), random)


async def test_a_store_that_is_away_is_waited_for_and_nothing_is_sent_twice() -> None:
    of = world(everything=False)
    of.states = Known({"evt_3": State.SUCCEEDED, "evt_4": State.EXHAUSTED, "evt_5": State.RETRYING}, away=2)
    await of.run().run()
    assert event_ids(of.sent) == [each.event_id for each in EVENTS if each.event_id not in {"evt_3", "evt_5"}]
    assert (of.job_now().state, of.job_now().sent, of.job_now().left_out) == (JobState.DONE, 18, 2)


@dataclass(slots=True)
class Emptied:
    """A history store that knows everything, is emptied before its second answer, and filled again when it was asked thrice."""

    answers: int = 0
    is_emptied: bool = False
    asked: int = 0

    async def recorded(self) -> None:
        if self.is_emptied:
            self.asked += 1
            self.is_emptied = self.asked < 3
            raise NotYet("the history store is not there yet")

    async def states(
        self, *, account_id: str, subscription_id: str, delivery_ids: Sequence[str]
    ) -> Mapping[str, KnownDelivery]:
        self.answers += 1
        self.is_emptied = self.answers == 2
        return (
            {} if self.is_emptied else {each: KnownDelivery(State.SUCCEEDED, True, 1, None, 0) for each in delivery_ids}
        )


async def test_a_store_that_is_emptied_in_the_middle_is_waited_for_and_nothing_is_sent_again() -> None:
    of, store = world(everything=False), Emptied()
    of.states, of.recorded = store, store.recorded
    await of.run().run()
    assert (of.sent, store.asked, store.answers > 2) == ([], 3, True)
    assert (of.job_now().state, of.job_now().left_out) == (JobState.DONE, len(EVENTS))


async def test_a_run_is_later_than_any_that_history_knows() -> None:
    of = world(everything=False)
    of.states = Known({"evt_3": State.EXHAUSTED}, run=of.job.run + 600_000)  # maybe by a clock that is ahead
    await of.run().run()
    assert {each.event_id: each.run for each in of.sent} == {
        each.event_id: of.job.run + (600_001 if each.event_id == "evt_3" else 0) for each in EVENTS
    }


async def test_what_the_job_has_sent_already_is_left_out_whatever_became_of_it() -> None:
    of = world(everything=False)
    of.states = Known({"evt_3": State.EXHAUSTED, "evt_4": State.EXPIRED}, job_id=of.job.job_id, run=of.job.run)
    await of.run().run()
    assert event_ids(of.sent) == [each.event_id for each in EVENTS if each.event_id not in {"evt_3", "evt_4"}]
    assert (of.job_now().sent, of.job_now().left_out) == (18, 2)


async def test_what_a_cancelled_job_has_left_on_tiers_is_sent() -> None:
    of = world(everything=False)
    of.states = Known({"evt_3": State.SUCCEEDED, "evt_4": State.RETRYING}, job_id="job_cancelled")
    of.cancelled = frozenset({"job_cancelled"})
    await of.run().run()
    assert event_ids(of.sent) == [each.event_id for each in EVENTS if each.event_id != "evt_3"]


async def test_a_bug_ends_the_job_as_failed_with_a_sentence_and_no_other() -> None:
    of = world(everything=False)
    of.states = Known({}, error=KeyError("secret"))
    await of.run().run()
    ended = of.job_now()
    assert (ended.state, ended.detail) == (JobState.FAILED, "It met an error of ours (KeyError).")
    assert ended.finished_at_ms is not None


async def test_what_no_topic_takes_for_its_size_is_lost_and_the_rest_is_sent() -> None:
    of = world()
    of.too_large = frozenset({"evt_0", "evt_7"})
    await of.run().run()
    assert (of.job_now().sent, of.job_now().lost, len(of.sent)) == (18, 2, 18)


async def test_how_much_of_everybodys_log_was_removed_is_not_told_but_that_it_was() -> None:
    of = world()
    of.log.lost = 1_000
    await of.run().run()
    ended = of.job_now()
    assert (ended.state, ended.sent, ended.lost) == (JobState.DONE, len(EVENTS), 0)
    assert ended.detail == "Part of the log was removed before it was read."


async def test_that_records_could_not_be_read_is_told_once_beside_what_was_removed_and_the_rest_is_sent() -> None:
    of = world()
    of.log.cut_short, of.log.lost = frozenset({"evt_3", "evt_7", "evt_19"}), 5
    await of.run().run()
    ended = of.job_now()
    assert event_ids(of.sent) == [each.event_id for each in EVENTS if each.event_id not in of.log.cut_short]
    assert (ended.state, ended.sent, ended.lost, ended.looked_at) == (JobState.DONE, 17, 0, 20)
    assert ended.detail == (
        "Part of the log was removed before it was read. "
        "Records that name your account could not be read, and were passed over."
    )


async def test_nothing_is_told_of_records_of_others_that_can_not_be_read() -> None:
    of = world()
    others = [event(number, account_id="acct_other") for number in range(100, 110)]
    of.log = ListedLog([[*others, *EVENTS]], of.random, cut_short=frozenset(each.event_id for each in others))
    await of.run().run()
    assert (of.job_now().state, of.job_now().sent, of.job_now().detail) == (JobState.DONE, len(EVENTS), None)


async def test_what_could_not_be_read_before_a_stop_is_told_at_the_end() -> None:
    of = world(rate=100)
    of.log.cut_short = frozenset({"evt_0"})
    run = of.run()
    task = asyncio.ensure_future(run.run())
    await until(lambda: len(of.sent) > 0)
    run.stop()
    await asyncio.wait_for(task, 10)
    assert 0 < of.job_now().positions[0].position < len(EVENTS)
    await of.run().run()
    assert (of.job_now().state, of.job_now().sent) == (JobState.DONE, len(EVENTS) - 1)
    assert of.job_now().detail == "Records that name your account could not be read, and were passed over."


@pytest.mark.parametrize("why", ["deleted", "erased", "another's", "made anew", "cancelled"])
async def test_a_job_without_anybody_to_send_to_ends_as_cancelled(why: str) -> None:
    of = world()
    erased = replace(account(of.job.account_id), erased_at_ms=1)
    cancelled = JobWish(job_id=of.job.job_id, account_id="", wanted=Wanted.CANCEL, rate=None, at_ms=0)
    of.is_gone = why == "deleted"
    of.marker = erased if why == "erased" else None
    made_ms = of.job.created_at_ms + (60_001 if why == "made anew" else 60_000)
    account_id = "acct_x" if why == "another's" else "acct_test"
    of.subscription = replace(of.subscription, account_id=account_id, created_at_ms=made_ms)
    of.wish = cancelled if why == "cancelled" else None
    await of.run().run()
    assert (of.job_now().state, of.sent) == (JobState.CANCELLED, [])
    assert of.job_now().detail == (None if why == "cancelled" else "Its webhook was deleted.")


async def test_a_subscription_that_was_made_in_the_minute_of_its_job_is_taken_for_its_own() -> None:
    of = world()
    of.subscription = replace(of.subscription, created_at_ms=of.job.created_at_ms + 60_000)
    await of.run().run()
    assert (of.job_now().state, len(of.sent)) == (JobState.DONE, len(EVENTS))


async def test_a_job_of_a_paused_subscription_is_put_back() -> None:
    of = world()
    of.subscription = replace(of.subscription, status=SubscriptionStatus.PAUSED)
    await of.run().run()
    assert (of.job_now().state, of.job_now().finished_at_ms, of.sent) == (JobState.WAITING, None, [])


async def test_a_job_whose_endpoint_is_away_is_put_back_until_it_is_well() -> None:
    of = world()
    of.health = health(of.subscription, opened=1)
    await of.run().run()
    assert (of.job_now().state, of.job_now().finished_at_ms, of.sent) == (JobState.WAITING, None, [])
    of.health = health(of.subscription)
    await of.run().run()
    assert (of.job_now().state, len(of.sent)) == (JobState.DONE, len(EVENTS))


def away(of: JobWorld, *, probe_in_ms: int = 0) -> SetClock:
    """The endpoint's breaker is open; from its probe on a job may ask for two seconds in a minute, by this clock."""
    of.clock = clock = SetClock()
    of.health = replace(health(of.subscription, opened=1), probe_at_ms=clock.now_ms() + probe_in_ms)
    return clock


async def test_a_replay_that_is_not_ready_while_it_may_ask_an_endpoint_that_is_away_begins_all_the_same() -> None:
    of = world(everything=False, rate=20)
    of.states, clock = Known({}), away(of)

    async def settled() -> None:
        await asyncio.sleep(0.3)  # so that it looks about meanwhile
        clock.s += 3

    of.settled = settled
    await of.run().run()
    put_back = of.job_now()
    assert (put_back.state, put_back.sent, len(of.sent)) == (JobState.WAITING, 1, 1)
    assert sum(each.position for each in put_back.positions) == 1
    of.settled, clock.s = None, clock.s + 57
    of.health = health(of.subscription)  # the one that went was delivered
    await asyncio.wait_for(carried_out(of, clock), 10)
    assert event_ids(of.sent) == event_ids(EVENTS)


async def carried_out(of: JobWorld, clock: SetClock) -> None:
    """The rest of the job, with time that passes."""
    task = asyncio.ensure_future(of.run().run())
    while not task.done():
        clock.s += 0.01
        await asyncio.sleep(0)


async def test_a_store_that_is_behind_keeps_no_replay_from_asking_an_endpoint_that_is_away() -> None:
    of = world(everything=False, rate=20)
    of.states, clock, asked = Known({}), away(of), 0

    async def recorded() -> None:
        nonlocal asked
        asked += 1
        clock.s += 3
        if asked < 3:
            raise NotYet("the history store is not there yet")

    of.recorded = recorded
    await of.run().run()
    assert (of.job_now().state, of.job_now().sent, len(of.sent)) == (JobState.WAITING, 1, 1)


async def test_what_is_ready_does_not_go_while_the_breaker_lets_no_probe_through() -> None:
    of = world(everything=False)
    of.states, clock = Known({}), away(of)

    async def settled() -> None:
        of.health = replace(health(of.subscription, opened=2), probe_at_ms=clock.now_ms() + 10_000)

    of.settled = settled
    await of.run().run()
    assert (of.job_now().state, of.sent) == (JobState.WAITING, [])
    assert [each.end for each in of.job_now().positions] == [len(EVENTS)]  # what it waited for is not waited for again


async def test_a_job_looks_through_what_it_does_not_send_although_its_endpoint_is_away() -> None:
    of = world()
    others = [event(number, account_id="acct_other") for number in range(100)]
    of.log, clock = ListedLog([[*others, *EVENTS]], of.random), away(of)

    async def begun() -> None:
        clock.s += 30

    of.job = replace(of.job, everything=False, rate=20)
    of.states, of.settled = Known({}), begun
    await of.run().run()
    assert (of.job_now().state, of.job_now().sent) == (JobState.WAITING, 1)
    assert of.job_now().looked_at == len(others) + 1


async def test_nothing_is_written_while_it_is_in_doubt_whose_the_job_is() -> None:
    of = world(rate=100)
    of.clock = SystemClock()
    of.is_member = False
    task = asyncio.ensure_future(of.run().run())
    done, _ = await asyncio.wait({task}, timeout=0.3)
    assert (done, of.sent, of.saved) == (set(), [], [])
    of.is_member = True
    await until(lambda: len(of.sent) > 5)
    of.is_member = False
    await asyncio.sleep(0)  # the batch that is being written
    before = len(of.sent), len(of.saved)
    done, _ = await asyncio.wait({task}, timeout=0.3)
    assert (done, (len(of.sent), len(of.saved))) == (set(), before)
    of.is_member = True
    await asyncio.wait_for(task, 10)
    assert len(of.sent) == len(EVENTS)


async def test_a_job_that_is_told_to_stop_leaves_what_it_did_on_record() -> None:
    of = world(rate=100)
    run = of.run()
    task = asyncio.ensure_future(run.run())
    await until(lambda: len(of.sent) > 5)
    run.stop()
    await asyncio.wait_for(task, 10)
    left = of.job_now()
    assert (left.state, left.sent, left.finished_at_ms) == (JobState.RUNNING, len(of.sent), None)
    assert sum(each.position for each in left.positions) == len(of.sent) < len(EVENTS)


@pytest.mark.parametrize("ends_as", [JobState.DONE, JobState.CANCELLED])
async def test_a_job_that_is_over_leaves_no_list_of_positions_and_shows_the_same_progress(ends_as: JobState) -> None:
    of = world(rate=50)
    of.log = ListedLog([EVENTS[:10], EVENTS[10:]], of.random)
    task = asyncio.ensure_future(of.run().run())
    await until(lambda: len(of.saved) > 2 and of.saved[-1].sent > 0)
    if ends_as is JobState.CANCELLED:
        of.wish = JobWish(job_id=of.job.job_id, account_id=of.job.account_id, wanted=Wanted.CANCEL, rate=None, at_ms=1)
    await task
    before, ended = of.saved[-2], of.saved[-1]
    assert (len(before.positions), ended.state) == (2, ends_as)
    assert len(ended.positions) == (0 if ends_as is JobState.DONE else 1)
    share = 1.0 if ends_as is JobState.DONE else Asked(before, None).share_done
    assert Asked(ended, None).share_done == share > 0


async def test_a_subscription_that_wants_other_events_by_now_is_heeded() -> None:
    of = world(rate=100)
    task = asyncio.ensure_future(of.run().run())
    await until(lambda: len(of.sent) > 5)
    of.subscription = replace(of.subscription, events=("user.created",))
    await asyncio.wait_for(task, 10)
    assert of.job_now().state is JobState.RUNNING
    before = len(of.sent)
    await of.run().run()
    assert (of.job_now().state, len(of.sent)) == (JobState.DONE, before)
