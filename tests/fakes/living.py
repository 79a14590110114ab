"""Ids of webhooks, accounts, keys, deliveries, events and jobs that are there, for requests that must reach more than a 404."""

from collections.abc import Callable, Mapping
from typing import Any

from fakes.api import Api, judge
from fakes.history import FAILED, SUCCEEDED
from fakes.judgements import disabling
from fakes.letters import buried, letter
from fakes.recovery import job_written, kept_delivery
from fakes.served import Served
from hookline.schemas.records import DeadLetter, DeathReason, JobState

SLOTS = 6  # how many of each kind there are at a time
_KEYS_MANY = 80  # an account may have 100
_DISABLED_SLOT, _ROTATING_SLOT = 1, 2
_HISTORY = ("/deliveries/{delivery_id}", "/events/{event_id}")  # of these there is what `fuzzing.fill` has put there


class Living:
    """By slot, an id of each kind. What a request has taken away is made anew; some webhooks are disabled, or have two secrets."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._view = served.api.view
        self._ids: dict[tuple[str, int], str] = {}

    def parameters(self, path: str, slot: int) -> Mapping[str, str]:
        """What the parameters of an operation's path can be."""
        if "{letter_id}" in path:
            return {"letter_id": self._letter(slot)}
        if "{job_id}" in path:
            return {"job_id": self._job(slot)}
        if "{id}" in path and "{delivery_id}" in path:
            webhook = self._webhook(slot)
            return {"id": webhook, "delivery_id": self._delivery(webhook, slot)}
        if path in _HISTORY:
            row = (SUCCEEDED, FAILED)[slot % 2]
            return {"delivery_id": row.delivery_id, "event_id": row.event_id}
        if "/keys/" not in path:
            return {"id": self._webhook(slot), "account_id": self._account(slot)}
        account_id = self._account(slot) if path.startswith("/accounts") else ""
        return {"account_id": account_id, "key_id": self._key(account_id, slot)}

    def make_room(self) -> None:
        """Revoke administrators' keys, of which there may be only so many."""
        for each in self._view.keys_of(""):
            self._served.do(_calling("DELETE", f"/keys/{each.key_id}"))

    def _webhook(self, slot: int) -> str:
        found = self._kept("webhook", slot, lambda known: self._is_as_wanted(known, slot), self._new_webhook)
        subscription = self._view.subscription(found)
        if slot == _DISABLED_SLOT and subscription is not None and self._view.disabling(found) is None:
            self._served.do(lambda api: judge(api, disabling(subscription)))
        return found

    def _is_as_wanted(self, known: str, slot: int) -> bool:
        subscription = self._view.subscription(known)
        return subscription is not None and (slot == _ROTATING_SLOT or subscription.next_secret_from_ms is None)

    def _new_webhook(self, slot: int) -> str:
        made: Any = self._served.do(lambda api: api.call.made())
        if slot == _ROTATING_SLOT:
            self._served.do(lambda api: api.call("POST", f"/webhooks/{made['id']}/secret/rotate"))
        return str(made["id"])

    def _account(self, slot: int) -> str:
        return self._kept(
            "account",
            slot,
            lambda known: len(self._view.keys_of(known)) < _KEYS_MANY,
            lambda _: self._made("/accounts"),
        )

    def _key(self, account_id: str, slot: int) -> str:
        path = f"/accounts/{account_id}/keys" if account_id else "/keys"
        return self._kept(path, slot, lambda known: self._view.api_key(known) is not None, lambda _: self._made(path))

    def _job(self, slot: int) -> str:
        """Some are over."""
        state = list(JobState)[slot % len(JobState)]
        return self._kept("job", slot, self._is_as_it_was, lambda _: self._new_job(slot, state))

    def _is_as_it_was(self, job_id: str) -> bool:
        found = self._view.job(job_id)
        return found is not None and (found.is_over or not found.is_cancelled)

    def _new_job(self, slot: int, state: JobState) -> str:
        webhook = self._webhook(slot)
        return str(self._served.do(lambda api: job_written(api, webhook, state=state)).job_id)

    def _delivery(self, webhook: str, slot: int) -> str:
        """One of this webhook, whose body is kept."""
        name = f"delivery_{slot}"
        return self._kept(
            "delivery",
            slot,
            lambda _: any(each.subscription_id == webhook for each in self._served.api.history.delivery_rows),
            lambda _: self._served.do(lambda api: kept_delivery(api, webhook, delivery_id=name)).delivery_id,
        )

    def _letter(self, slot: int) -> str:
        """One of every kind, by slot, that is never taken away."""
        of = {"account_id": self._served.api.account_id, "subscription_id": self._webhook(slot)}
        made = letter(slot, list(DeathReason)[slot % len(DeathReason)], **of)
        return self._kept("letter", slot, lambda _: True, lambda _: self._buried(made))

    def _buried(self, made: DeadLetter) -> str:
        return str(self._served.do(lambda api: buried(api, made)))

    def _kept(self, kind: str, slot: int, is_there: Callable[[str], bool], make: Callable[[int], str]) -> str:
        known = self._ids.get((kind, slot))
        if known is None or not is_there(known):
            known = self._ids[kind, slot] = make(slot)
        return known

    def _made(self, path: str) -> str:
        return str(self._served.do(_calling("POST", path, {"name": "living"})))


def _calling(method: str, path: str, body: object = None) -> Callable[[Api], Any]:
    async def call(api: Api) -> Any:
        reply = await api.admin(method, path, body)
        assert reply.status < 300, reply.text
        return reply.json["id"] if reply.text else None

    return call
