"""The bodies of answers, field for field in the contract's order.

An answer leaves out what was not set; `response_code` is set to null where there was none.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hookline.api.requests import Status


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# -- webhooks ---------------------------------------------------------------------------------------------------------


class Webhook(_Answer):
    """One webhook. `secret` is set only in the answer that made it, the others from `rate_limit` on only where there is one."""

    id: str
    url: str = Field(description="The endpoint; `***` stands for its query.")
    events: tuple[str, ...]
    description: str | None = None
    created_at: str
    status: Status
    rate_limit: int | None = None
    timeout_s: int | None = None
    uid: str | None = None
    metadata: dict[str, Any] | None = None
    headers: dict[str, str] | None = Field(None, description="Their names; `***` stands for each value.")
    disabled_reason: str | None = None
    disabled_at: str | None = None
    failing_since: str | None = None
    disables_at: str | None = None
    secret: str | None = None


class SecretShown(_Answer):
    """The signing secret; while it is being changed also the new one, and when that takes over."""

    secret: str
    next_secret: str | None = None
    next_secret_from: str | None = None
    public_key: str | None = Field(None, description="What `v1a` signatures are checked with, if the account has them.")
    public_key_id: str | None = Field(None, description="Its `kid` in /.well-known/jwks.json.")


class SecretRotated(_Answer):
    """`secret` if it was made here; `next_secret_from` if both sign until then."""

    secret: str | None = None
    next_secret_from: str | None = None


class ListedWebhook(_Answer):
    """One webhook in the list, as short as in the contract; `uid` if it has one."""

    id: str
    url: str
    events: tuple[str, ...]
    status: Status
    created_at: str
    uid: str | None = None


class WebhookList(_Answer):
    """A page of an account's webhooks; `total` counts those of all pages, `next_cursor` leads to the next one."""

    webhooks: tuple[ListedWebhook, ...]
    total: int
    next_cursor: str | None = None


# -- deliveries -------------------------------------------------------------------------------------------------------


class SucceededDelivery(_Answer):
    """A delivery whose endpoint answered 2xx."""

    id: str
    event: str
    status: Literal["succeeded"]
    response_code: int | None
    delivered_at: str
    attempts: int


class FailedDelivery(_Answer):
    """A delivery that has not succeeded; `next_attempt_at` is set while an attempt is to come, and means "not before"."""

    id: str
    event: str
    status: Literal["failed"]
    response_code: int | None
    last_attempt_at: str | None = None
    attempts: int
    next_attempt_at: str | None = None


class DeliveryList(_Answer):
    """A webhook's deliveries, the newest first."""

    deliveries: tuple[SucceededDelivery | FailedDelivery, ...]


class DeliveredLog(_Answer):
    """An attempt that was answered with 2xx. `response_time` is in ms."""

    id: str
    event: str
    status: Literal["delivered"]
    response_code: int | None
    response_time: int
    delivered_at: str


class FailedLog(_Answer):
    """An attempt that failed; `error` is one word, `detail` a sentence for the endpoint's owner."""

    id: str
    event: str
    status: Literal["failed"]
    response_code: int | None
    response_time: int
    attempted_at: str
    error: str | None = None
    detail: str | None = None


class LogList(_Answer):
    """A webhook's attempts, the newest first."""

    logs: tuple[DeliveredLog | FailedLog, ...]


class TestAccepted(_Answer):
    """The test is on its way."""

    __test__ = False

    delivery_id: str


# -- accounts and keys ------------------------------------------------------------------------------------------------


class Account(_Answer):
    """One account; `webhooks_max` is the installation's limit where the account has none of its own."""

    id: str
    name: str
    created_at: str
    webhooks: int = Field(description="How many it has.")
    webhooks_max: int = Field(description="How many it may have.")
    checks_ownership: bool
    signs_ed25519: bool


class AccountList(_Answer):
    """A page of all accounts."""

    accounts: tuple[Account, ...]
    total: int
    next_cursor: str | None = None


class Key(_Answer):
    """One API key, without its secret part; `key` is all of it, only in the answer that made it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None = None
    key: str | None = None


class KeyList(_Answer):
    """All keys of an account that are accepted, or were until they expired."""

    keys: tuple[Key, ...]


class LinkMade(_Answer):
    """A token that lets into the console, and the address that bears it. Not kept: it is shown here only."""

    url: str
    token: str
    expires_at: str


class Identity(_Answer):
    """Who asks: the key's scopes, and its account if it has one."""

    account: Account | None = None
    scopes: tuple[str, ...]
    actor: str


# -- audit, keys of signatures, problems ------------------------------------------------------------------------------


class AuditRow(_Answer):
    """One change. `before` and `after` are the subject as the API shows it; one is absent where it was not there."""

    id: str
    at: str
    account_id: str | None = None
    actor: str
    request_id: str | None = None
    operation: str
    subject: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class AuditList(_Answer):
    """A page of changes, the newest first."""

    entries: tuple[AuditRow, ...]
    next_cursor: str | None = None


class JsonWebKey(_Answer):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str


class JsonWebKeys(_Answer):
    """Public keys of all accounts with Ed25519 signatures."""

    keys: tuple[JsonWebKey, ...]


class Anything(BaseModel):
    """An object of any kind."""

    model_config = ConfigDict(extra="allow")


class FieldProblem(_Answer):
    """What is wrong with one field; `field` is its path, such as `events[3]`."""

    field: str
    detail: str


class ProblemBody(_Answer):
    """Why the answer is no (RFC 9457). `type` never changes its meaning."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[FieldProblem, ...] | None = None
