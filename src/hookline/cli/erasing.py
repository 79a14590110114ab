"""Erasing an account: out of the configuration in one change, then out of the history store, and what Kafka holds for a time."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from hookline.cli.configuring import Configuring, configuring
from hookline.core.accounts import erased
from hookline.runtime.admin import members_of, topic_names
from hookline.runtime.changes import Decision, Write, without_subscription
from hookline.runtime.clock import SystemClock
from hookline.runtime.settings import Settings
from hookline.runtime.topic_retention import longest_ms
from hookline.schemas.errors import ConfigError, NotYet
from hookline.schemas.records import Account
from hookline.schemas.topics import Topics, waiting_ms

_HISTORY_S = 3_600.0  # 10,000,000 attempts take minutes
_LOOK_EVERY_S = 0.5
_SAY_EVERY_S = 10.0
_AGAIN = "the same command says how far it is"

Say = Callable[[str], None]


async def erase_account(account_id: str, settings: Settings, *, say: Say) -> None:
    """Erase it, wait for the history store, and say what remains. Asked again, it only looks. ConfigError, NotYet."""
    async with configuring(settings) as configuration:
        marker = await configuration.change(lambda: _decided(account_id, configuration))
    at_ms = marker.erased_at_ms or 0
    say(f"{account_id} was erased at {_shown(at_ms)}: its API keys and webhooks are no more.")
    for line in await asyncio.to_thread(_remaining, settings, at_ms):
        say(line)
    await _until_history_has_erased(account_id, settings, say=say)
    say("The history store holds nothing of it.")


def what_belongs_to(account_id: str, configuration: Configuring) -> Iterator[Write]:
    """The tombstones of an account's keys and subscriptions."""
    for key in configuration.view.keys_of(account_id):
        yield Write(topic=configuration.topics.accounts, key=key.key_id.encode(), value=None)
    for subscription in configuration.view.subscriptions_of(account_id):
        yield from without_subscription(configuration.topics, subscription.subscription_id)


def _decided(account_id: str, configuration: Configuring) -> Decision[Account]:
    if not account_id:  # what belongs to no account are administrators' keys
        raise ConfigError("the account's id is empty; wanted is one that `hookline accounts create` or the API gave")
    view = configuration.view
    before, marker = view.account(account_id), view.marker(account_id)
    if marker is not None:
        return Decision(marker)
    if view.cannot_read(account_id):
        raise ConfigError(f"a newer release wrote the account {account_id}; erase it with that one")
    belongings = tuple(what_belongs_to(account_id, configuration))
    if before is None and not belongings:
        raise ConfigError(f"there is no account {account_id}")
    marker = erased(account_id, before, now_ms=SystemClock().now_ms())
    written = Write(
        topic=configuration.topics.accounts, key=account_id.encode(), value=configuration.codec.encode(marker)
    )
    told = configuration.audit("account.erase", account_id, account_id=account_id, after={})
    return Decision(marker, (*belongings, written, told))


# -- the history store ------------------------------------------------------------------------------------------------


async def _until_history_has_erased(account_id: str, settings: Settings, *, say: Say) -> None:
    """NotYet, with how far it is, when no history process runs that could erase."""
    from hookline.runtime.history import is_there, open_history

    if not is_there(settings):
        raise NotYet("there is no history store here; where one is, the history role erases what it holds")
    async with open_history(settings) as store:
        deadline_s, said_s = time.monotonic() + _HISTORY_S, float("-inf")
        while True:
            found = await store.erasure(account_id)
            if found is not None and found.is_done:
                return
            left = "all" if found is None else f"those of {found.subscriptions_left} webhooks"
            if not await asyncio.to_thread(_history_runs, settings):
                raise NotYet(f"no history role runs, and of the history {left} is left; start one; {_AGAIN}")
            if time.monotonic() > deadline_s:
                raise NotYet(f"of the history {left} is still left; the history role goes on; {_AGAIN}")
            if time.monotonic() > said_s + _SAY_EVERY_S:
                said_s = time.monotonic()
                say(f"Of the history {left} is left.")
            await asyncio.sleep(_LOOK_EVERY_S)


def _history_runs(settings: Settings) -> bool:
    return any(members_of(settings.bootstrap_servers, group) for group in settings.history_groups())


# -- what Kafka still holds -------------------------------------------------------------------------------------------


def _remaining(settings: Settings, erased_at_ms: int) -> list[str]:
    """Until when records can lie in topics. What waits for a retry is written once more when that is due, to be cancelled."""
    topics, there = settings.topics(), topic_names(settings.bootstrap_servers)
    waiting = [each for each in there if re.fullmatch(topics.waiting_pattern(), each)]
    longest_wait_ms = max(map(waiting_ms, waiting), default=0)
    found = longest_ms(settings.bootstrap_servers, [*_with_records_of_accounts(topics, there), *waiting])
    begins_ms = erased_at_ms + longest_wait_ms
    rows = [
        f"  {topic:32} {'never: its retention has no end' if kept_ms is None else _shown(begins_ms + kept_ms)}"
        for topic, kept_ms in sorted(found.items())
    ]
    rows += [f"  {topic:32} {when}" for topic, when in _compacted(topics).items() if topic in there]
    events = "The events themselves lie in the topics of their source systems, which are theirs to clean."
    return ["What these topics hold of it goes at the latest:", *rows, events]


def _compacted(topics: Topics) -> dict[str, str]:
    """Topics without a retention: what is deleted in them goes when the broker cleans them."""
    soon = "once Kafka compacts it"
    of_jobs = f"{soon}, of each job 30 days after its end at the latest"
    return {topics.accounts: soon, topics.endpoint_state: soon, topics.jobs: of_jobs, topics.subscriptions: soon}


def _with_records_of_accounts(topics: Topics, there: frozenset[str]) -> list[str]:
    wanted = (
        topics.deliveries,
        topics.redeliveries,
        topics.replays,
        topics.attempts,
        topics.dead_letters,
        topics.audit,
    )
    return [each for each in wanted if each in there]


def _shown(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
