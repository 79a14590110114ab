"""Processes that change the configuration: each has a `KafkaChanges`, and a view of its own to decide on.

async with changing(settings) as one, changing(settings) as other:
    await one.add()
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry

from fakes.configuration import ACCOUNT
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.changes import Decision, Write
from hookline.runtime.kafka_changes import KafkaChanges, open_changes
from hookline.runtime.lifecycle import Lifetime
from hookline.runtime.metrics import Metrics, reading
from hookline.runtime.settings import Settings
from hookline.runtime.view import View, open_view
from hookline.schemas.codec import Codec
from hookline.schemas.records import Account, Subscription
from hookline.schemas.topics import Topics

CODEC = Codec(load_catalogue())


@dataclass(frozen=True, slots=True)
class Changing:
    """One process, as far as it changes the configuration. Its counter is the version of an account's record."""

    changes: KafkaChanges
    view: View
    topics: Topics
    metrics: Metrics

    async def add(self, account_id: str = ACCOUNT) -> int:
        """Read, add one and write, with nobody in between; the new count."""
        return await self.changes.make(lambda: self.added(account_id))

    def count(self, account_id: str = ACCOUNT) -> int:
        """As this process's view has it."""
        account = self.view.account(account_id)
        return 0 if account is None else account.version

    def fences_taken(self) -> int:
        return int(reading(self.metrics.registry, "hookline_fences_taken_total"))

    def account(self, account: Account) -> Write:
        return Write(topic=self.topics.accounts, key=account.account_id.encode(), value=CODEC.encode(account))

    def subscription(self, to: Subscription) -> Write:
        return Write(topic=self.topics.subscriptions, key=to.subscription_id.encode(), value=CODEC.encode(to))

    def added(self, account_id: str = ACCOUNT) -> Decision[int]:
        """What `add` decides."""
        known = self.view.account(account_id) or Account(account_id=account_id, name="", created_at_ms=0, version=0)
        account = replace(known, version=known.version + 1)
        return Decision(account.version, [self.account(account)])


@asynccontextmanager
async def changing(settings: Settings, *, answer_s: float = 10.0, seen_at: str = "") -> AsyncIterator[Changing]:
    """A process whose view has read what was there. `seen_at`: where the view finds the broker, if elsewhere."""
    lifetime, metrics, topics = Lifetime(), Metrics(CollectorRegistry()), settings.topics()
    follows = replace(settings, bootstrap_servers=seen_at or settings.bootstrap_servers)
    async with (
        open_view(follows, topics=topics, codec=CODEC, metrics=metrics, on_fatal=lifetime.fail) as view,
        open_changes(
            settings.bootstrap_servers, topics=topics, view=view, metrics=metrics, answer_s=answer_s
        ) as changes,
    ):
        await view.wait_ready()
        yield Changing(changes, view, topics, metrics)
