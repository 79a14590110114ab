"""The table of all operations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hookline.api import history_requests, history_responses, letter_bodies, recovery_bodies, requests, responses
from hookline.api.accounts import Accounts
from hookline.api.audit import Audit
from hookline.api.deliveries import Deliveries
from hookline.api.jobs import Jobs
from hookline.api.keys import Keys
from hookline.api.letters import Letters
from hookline.api.operations import Operation
from hookline.api.public import Public
from hookline.api.questions import Questions
from hookline.api.recovery import Recovery
from hookline.api.secrets import Secrets
from hookline.api.webhooks import IDEMPOTENCY_HEADER, Webhooks
from hookline.core.scopes import Scope

_EDITION = ("ETag",)
_IF_MATCH = ("If-Match",)
_WEBHOOK, _ACCOUNT = "/webhooks/{id}", "/accounts/{account_id}"
_admin = partial(Operation, tag="Administration", scope=Scope.ADMIN, needs_account=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Everything that answers."""

    webhooks: Webhooks
    secrets: Secrets
    deliveries: Deliveries
    questions: Questions
    recovery: Recovery
    jobs: Jobs
    accounts: Accounts
    keys: Keys
    audit: Audit
    letters: Letters
    public: Public


def operations(handlers: Handlers) -> Sequence[Operation]:
    """Every operation of the API, in the order in which the document lists them."""
    return (
        *_webhooks(handlers.webhooks),
        *_secrets(handlers.secrets),
        *_deliveries(handlers.questions, handlers.deliveries),
        *_stats(handlers.questions),
        *_recovery(handlers.recovery),
        *_jobs(handlers.jobs),
        *_own(handlers.accounts, handlers.audit),
        *_accounts(handlers.accounts),
        *_keys(handlers.keys),
        *_letters(handlers.letters),
        *_public(handlers.public),
    )


def _webhooks(do: Webhooks) -> Iterator[Operation]:
    reads, writes = (partial(Operation, tag="Webhooks", scope=scope) for scope in (Scope.READ, Scope.WRITE))
    shown = {200: responses.Webhook}
    yield writes(
        *("createWebhook", "POST", "/webhooks", do.create, "Make a webhook"),
        body=requests.NewWebhook,
        headers=(IDEMPOTENCY_HEADER,),
        answers={201: responses.Webhook},
        answer_headers=("Location", "ETag"),
        problems=(409,),
    )
    yield reads(
        *("listWebhooks", "GET", "/webhooks", do.listing, "List webhooks"),
        query=requests.WebhookQuery,
        answers={200: responses.WebhookList},
    )
    yield reads(*("readWebhook", "GET", _WEBHOOK, do.read, "Read a webhook"), answers=shown, answer_headers=_EDITION)
    change = partial(
        writes,
        body=requests.WebhookChange,
        headers=_IF_MATCH,
        answers=shown,
        answer_headers=_EDITION,
        problems=(409,),
    )
    yield change("changeWebhook", "PUT", _WEBHOOK, do.change, "Change a webhook: what is left out keeps its value")
    yield change("patchWebhook", "PATCH", _WEBHOOK, do.change, "Change a webhook, as with PUT")
    yield writes(
        *("deleteWebhook", "DELETE", _WEBHOOK, do.delete, "Delete a webhook"), headers=_IF_MATCH, answers={204: None}
    )
    yield writes(
        *("enableWebhook", "POST", f"{_WEBHOOK}/enable", do.enable, "Enable a webhook that was disabled"),
        headers=_IF_MATCH,
        answers=shown,
        answer_headers=_EDITION,
    )


def _secrets(do: Secrets) -> Iterator[Operation]:
    secret = f"{_WEBHOOK}/secret"
    writes = partial(Operation, tag="Signing secrets", scope=Scope.WRITE)
    changes = partial(writes, headers=_IF_MATCH, answer_headers=_EDITION)
    yield writes(
        *("readSecret", "GET", secret, do.read, "Show the signing secret"), answers={200: responses.SecretShown}
    )
    yield changes(
        *("rotateSecret", "POST", f"{secret}/rotate", do.rotate, "Change it, with a time in which both sign"),
        body=requests.NewSecret,
        body_is_optional=True,
        answers={200: responses.SecretRotated},
        problems=(409,),
    )
    yield changes(
        *("promoteSecret", "POST", f"{secret}/promote", do.promote, "End the time in which both sign"),
        answers={204: None},
    )


def _deliveries(ask: Questions, do: Deliveries) -> Iterator[Operation]:
    reads, writes = (partial(Operation, tag="Deliveries", scope=scope) for scope in (Scope.READ, Scope.WRITE))
    yield reads(
        *("listDeliveries", "GET", f"{_WEBHOOK}/deliveries", ask.deliveries, "See what became of deliveries"),
        query=history_requests.DeliveryQuery,
        answers={200: history_responses.DeliveryList},
    )
    yield reads(
        *("listLogs", "GET", f"{_WEBHOOK}/logs", ask.logs, "See every attempt"),
        query=history_requests.LogQuery,
        answers={200: history_responses.LogList},
    )
    yield writes(
        *("testWebhook", "POST", f"{_WEBHOOK}/test", do.test, "Send the sample of an event type"),
        body=requests.TestRequest,
        answers={202: history_responses.TestAccepted},
    )
    yield reads(
        *("readDelivery", "GET", "/deliveries/{delivery_id}", ask.delivery, "See all of a delivery"),
        answers={200: history_responses.Delivery},
    )
    yield reads(
        *("readEvent", "GET", "/events/{event_id}", ask.event, "See where an event went"),
        query=requests.PageQuery,
        answers={200: history_responses.EventShown},
    )


def _stats(ask: Questions) -> Iterator[Operation]:
    numbers = partial(
        Operation,
        tag="Numbers",
        scope=Scope.READ,
        query=history_requests.StatsQuery,
        answers={200: history_responses.StatsShown},
    )
    yield numbers("readWebhookStats", "GET", f"{_WEBHOOK}/stats", ask.webhook_stats, "See a webhook's numbers")
    yield numbers("readStats", "GET", "/stats", ask.account_stats, "See the numbers of all webhooks together")


def _recovery(do: Recovery) -> Iterator[Operation]:
    writes = partial(Operation, tag="Recovery", scope=Scope.WRITE)
    orders = partial(writes, answer_headers=("Location",), problems=(409,))
    one = f"{_WEBHOOK}/deliveries/{{delivery_id}}/retry"
    yield writes(
        *("retryDelivery", "POST", one, do.retry, "Send one delivery again, now"),
        answers={202: recovery_bodies.RetryAccepted},
        problems=(409, 410),
    )
    yield orders(
        *("recoverWebhook", "POST", f"{_WEBHOOK}/recover", do.recover, "Send again all that failed in some time"),
        body=recovery_bodies.RecoverRequest,
        answers={202: recovery_bodies.JobShown},
    )
    yield orders(
        *("replayWebhook", "POST", f"{_WEBHOOK}/replay", do.replay, "Send what happened in some time, or count it"),
        body=recovery_bodies.ReplayRequest,
        answers={200: recovery_bodies.ReplayCounted, 202: recovery_bodies.JobShown},
    )
    yield writes(
        *("cancelRetries", "POST", f"{_WEBHOOK}/cancel-retries", do.cancel_retries, "Try nothing again that waits now"),
        headers=_IF_MATCH,
        answers={202: recovery_bodies.JobShown},
        answer_headers=("Location", "ETag"),
        problems=(409,),
    )


def _jobs(do: Jobs) -> Iterator[Operation]:
    reads, writes = (partial(Operation, tag="Recovery", scope=scope) for scope in (Scope.READ, Scope.WRITE))
    job = "/jobs/{job_id}"
    shown: dict[str, Any] = {"answers": {200: recovery_bodies.JobShown}}
    yield reads(
        *("listJobs", "GET", f"{_WEBHOOK}/jobs", do.listing, "List a webhook's jobs"),
        query=recovery_bodies.JobQuery,
        answers={200: recovery_bodies.JobList},
    )
    yield reads("readJob", "GET", job, do.read, "See how far a job is", **shown)
    yield writes(
        *("changeJob", "PATCH", job, do.change, "Change a job's rate"),
        body=recovery_bodies.JobChange,
        **shown,
        problems=(409,),
    )
    wishes = partial(writes, **shown, problems=(409,))
    yield wishes("pauseJob", "POST", f"{job}/pause", do.pause, "Hold a job up")
    yield wishes("resumeJob", "POST", f"{job}/resume", do.resume, "Let a job go on")
    yield wishes("cancelJob", "POST", f"{job}/cancel", do.cancel, "End a job; what of it still waits is not sent")


def _own(accounts: Accounts, audit: Audit) -> Iterator[Operation]:
    reads = partial(Operation, tag="Account", scope=Scope.READ, needs_account=False)
    yield reads(
        *("readIdentity", "GET", "/account", accounts.who, "See whose key this is, and what it may do"),
        answers={200: responses.Identity},
    )
    yield reads(
        *("listAudit", "GET", "/audit", audit.listing, "See who changed what"),
        query=requests.AuditQuery,
        answers={200: responses.AuditList},
    )


def _accounts(do: Accounts) -> Iterator[Operation]:
    shown: dict[str, Any] = {"answers": {200: responses.Account}, "answer_headers": _EDITION}
    yield _admin(
        *("createAccount", "POST", "/accounts", do.create, "Make an account"),
        body=requests.NewAccount,
        answers={201: responses.Account},
        answer_headers=("Location", "ETag"),
    )
    yield _admin(
        *("listAccounts", "GET", "/accounts", do.listing, "List accounts"),
        query=requests.PageQuery,
        answers={200: responses.AccountList},
    )
    yield _admin("readAccount", "GET", _ACCOUNT, do.read, "Read an account", **shown)
    yield _admin(
        *("changeAccount", "PATCH", _ACCOUNT, do.change, "Change an account: what is left out keeps its value"),
        body=requests.AccountChange,
        headers=_IF_MATCH,
        **shown,
    )


def _keys(do: Keys) -> Iterator[Operation]:
    shown: dict[str, Any] = {"answers": {201: responses.Key}, "problems": (409,)}
    listed: dict[str, Any] = {"answers": {200: responses.KeyList}}
    of_account, of_admin = f"{_ACCOUNT}/keys", "/keys"
    yield _admin("createKey", "POST", of_account, do.create, "Make an API key", body=requests.NewKey, **shown)
    yield _admin("listKeys", "GET", of_account, do.listing, "List an account's API keys", **listed)
    yield _admin(
        *("revokeKey", "DELETE", f"{of_account}/{{key_id}}", do.revoke, "Revoke an API key"), answers={204: None}
    )
    yield _admin(
        *("createAdminKey", "POST", of_admin, do.create_for_administrator, "Make an administrator's API key"),
        body=requests.NewAdminKey,
        **shown,
    )
    yield _admin("listAdminKeys", "GET", of_admin, do.listing, "List administrators' API keys", **listed)
    yield _admin(
        *("revokeAdminKey", "DELETE", f"{of_admin}/{{key_id}}", do.revoke, "Revoke an administrator's API key"),
        answers={204: None},
    )
    yield _admin(
        *("createLink", "POST", f"{_ACCOUNT}/links", do.link, "Make a link into an account's console, for a while"),
        body=requests.NewLink,
        body_is_optional=True,
        answers={201: responses.LinkMade},
    )


def _letters(do: Letters) -> Iterator[Operation]:
    letter = "/dead-letters/{letter_id}"
    sent: dict[str, Any] = {"answers": {202: letter_bodies.Redriven}}
    yield _admin(
        *("listDeadLetters", "GET", "/dead-letters", do.listing, "List what could not be delivered or read"),
        query=letter_bodies.LetterQuery,
        answers={200: letter_bodies.LetterList},
    )
    yield _admin(
        *("readDeadLetter", "GET", letter, do.read, "Read one, with its bytes"),
        answers={200: letter_bodies.LetterShown},
    )
    yield _admin(
        "redriveDeadLetter", "POST", f"{letter}/redrive", do.redrive, "Send one again", **sent, problems=(409,)
    )
    yield _admin(
        *("redriveDeadLetters", "POST", "/redrives", do.redrive_many, "Send all of a kind again"),
        body=letter_bodies.Redrive,
        **sent,
    )


def _public(do: Public) -> Iterator[Operation]:
    public = partial(Operation, tag="For everybody", scope=None)
    yield public(
        *("readKeySet", "GET", "/.well-known/jwks.json", do.key_set, "Public keys of Ed25519 signatures"),
        answers={200: responses.JsonWebKeys},
        problems=(503,),
    )
    yield public(
        *("readDocument", "GET", "/openapi.json", do.document, "This document"), answers={200: responses.Anything}
    )
    yield public(
        *("readDocs", "GET", "/docs", do.docs, "This document as a page"), answers={200: None}, media_type="text/html"
    )
