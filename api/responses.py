"""The bodies of answers, field for field in the contract's order.

An answer leaves out what was not set; `response_code` is set to null where there was none.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hookline.api.requests import Status

_CREATED_TEXT = "When it was made."
_STATUS_TEXT = "`disabled` if its endpoint is gone or has failed for days, `paused` if you paused it."
_UID_TEXT = "Your own id for it; it can stand where the id can."
CURSOR_TEXT = "Leads to the next page; the last one has none."
_NEXT_FROM_TEXT = "Until then both secrets sign; from then on the new one alone."

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Answer(BaseModel):
    """What every body of an answer is: fixed, and with no field but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- webhooks ---------------------------------------------------------------------------------------------------------


class ReplayBody(Answer):
    """The body of a request for a replay."""

    since: Moment = Field(description="As of the catch-up.")
    until: Moment = Field(description="As of the catch-up.")


class ReplayCall(Answer):
    """A request for a replay, to be sent as it stands here."""

    method: Literal["POST"] = Field(description="Its method.")
    path: str = Field(description="Its path.")
    body: ReplayBody = Field(description="Its body.")


class CatchUp(Answer):
    """What a webhook has missed, and how to have it sent."""

    since: Moment = Field(description="Nothing has reached the endpoint since then.")
    until: Moment = Field(description="From then on it gets what happens.")
    replay: ReplayCall = Field(description="Sends what it never got of that time, as far as it is still kept.")


class Webhook(Answer):
    """One webhook. What was not set is left out."""

    id: str = Field(description="Its id, `wh_...`.")
    url: str = Field(description="The endpoint; `***` stands for its query.")
    events: tuple[str, ...] = Field(description="The event types and patterns that it wants.")
    description: str | None = Field(None, description="What it is for, in your own words.")
    created_at: Moment = Field(description=_CREATED_TEXT)
    status: Status = Field(description=_STATUS_TEXT)
    rate_limit: int | None = Field(None, description="Requests a second at most.")
    timeout_s: int | None = Field(None, description="Seconds that one attempt may take.")
    uid: str | None = Field(None, description=_UID_TEXT)
    metadata: dict[str, Any] | None = Field(None, description="A flat object of your own.")
    headers: dict[str, str] | None = Field(
        None, description="The headers that go with every request; `***` stands for each value."
    )
    disabled_reason: str | None = Field(
        None, description="Why it is disabled: `gone` for an answer of 410, `failing` for days of failures."
    )
    disabled_at: Moment | None = Field(None, description="Since when it is disabled.")
    failing_since: Moment | None = Field(None, description="The time from which on every attempt has failed.")
    disables_at: Moment | None = Field(None, description="An attempt that fails at that time or later disables it.")
    secret: str | None = Field(
        None, description="The signing secret that was made for it; only in the answer that made the webhook."
    )
    catch_up: CatchUp | None = Field(
        None, description="What it has missed; only in the answer that enables a webhook that was disabled."
    )


class SecretShown(Answer):
    """The signing secret; while it is being changed also the new one, and when that takes over."""

    secret: str = Field(description="What `X-Webhook-Signature` is made with now.")
    next_secret: str | None = Field(None, description="What `X-Webhook-Signature-Next` is made with.")
    next_secret_from: Moment | None = Field(None, description=_NEXT_FROM_TEXT)
    public_key: str | None = Field(None, description="What `v1a` signatures are checked with, if the account has them.")
    public_key_id: str | None = Field(None, description="Its `kid` in /.well-known/jwks.json.")


class SecretRotated(Answer):
    """The secret was changed."""

    secret: str | None = Field(None, description="The new one, if it was made here.")
    next_secret_from: Moment | None = Field(None, description=_NEXT_FROM_TEXT)


class ListedWebhook(Answer):
    """One webhook in the list. Read the webhook itself for the rest."""

    id: str = Field(description="Its id, `wh_...`.")
    url: str = Field(description="The endpoint; `***` stands for its query.")
    events: tuple[str, ...] = Field(description="The event types and patterns that it wants.")
    status: Status = Field(description=_STATUS_TEXT)
    created_at: Moment = Field(description=_CREATED_TEXT)
    uid: str | None = Field(None, description=_UID_TEXT)


class WebhookList(Answer):
    """A page of an account's webhooks, in order of creation."""

    webhooks: tuple[ListedWebhook, ...] = Field(description="Those of this page.")
    total: int = Field(description="How many the filters let through, on all pages.")
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)


# -- accounts and keys ------------------------------------------------------------------------------------------------


class Account(Answer):
    """One account."""

    id: str = Field(description="Its id, `acct_...`.")
    name: str = Field(description="What people call it.")
    created_at: Moment = Field(description=_CREATED_TEXT)
    webhooks: int = Field(description="How many it has.")
    webhooks_max: int = Field(description="How many it may have: its own limit, or else the installation's.")
    checks_ownership: bool = Field(
        description="Whether an endpoint must agree before a webhook is made or moved to it."
    )
    signs_ed25519: bool = Field(description="Whether `webhook-signature` bears a public-key signature (v1a) as well.")


class AccountList(Answer):
    """A page of all accounts, in order of creation."""

    accounts: tuple[Account, ...] = Field(description="Those of this page.")
    total: int = Field(description="How many there are, on all pages.")
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)


class Key(Answer):
    """One API key, without its secret part."""

    id: str = Field(description="Its id: the part between the underscores.")
    name: str = Field(description="What people call it.")
    scopes: tuple[str, ...] = Field(description="What it may be used for: `read`, `write`, `admin`.")
    created_at: Moment = Field(description=_CREATED_TEXT)
    expires_at: Moment | None = Field(None, description="From when on it is no longer accepted.")
    key: str | None = Field(None, description="All of it; only in the answer that made it.")


class KeyList(Answer):
    """All keys of an account that are accepted, or were until they expired."""

    keys: tuple[Key, ...] = Field(description="In order of creation.")


class LinkMade(Answer):
    """A link into the console. It is not kept, and shown here only."""

    url: str = Field(description="The console's address with the token, without this server's name.")
    token: str = Field(description="What lets in; it can stand where an API key can.")
    expires_at: Moment = Field(description="Until when it lets in.")


class Identity(Answer):
    """Who asks."""

    account: Account | None = Field(None, description="The account that is meant, if there is one.")
    scopes: tuple[str, ...] = Field(description="What the key may be used for.")
    actor: str = Field(description="What the audit calls whoever has this key.")


# -- audit, keys of signatures, problems ------------------------------------------------------------------------------


class AuditRow(Answer):
    """One change."""

    id: str = Field(description="Its id, `audit_...`.")
    at: Moment = Field(description="When it was made.")
    account_id: str | None = Field(None, description="The account in which it was made, if it was in one.")
    actor: str = Field(description="Who made it: a key's id, or `link:` and the id of the key that made the link.")
    request_id: str | None = Field(None, description="The request that made it.")
    operation: str = Field(description="What was done, such as `webhook.create`.")
    subject: str = Field(description="The id of what was changed.")
    before: dict[str, Any] | None = Field(None, description="The subject as it was; left out if it was not there.")
    after: dict[str, Any] | None = Field(None, description="The subject as it is since; left out if it is gone.")


class AuditList(Answer):
    """A page of changes, the newest first."""

    entries: tuple[AuditRow, ...] = Field(description="Those of this page.")
    next_cursor: str | None = Field(None, description=CURSOR_TEXT)


class JsonWebKey(Answer):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"] = Field(description="The kind of key.")
    crv: Literal["Ed25519"] = Field(description="Its curve.")
    x: str = Field(description="The key, in base64url.")
    alg: Literal["EdDSA"] = Field(description="What it checks.")
    use: Literal["sig"] = Field(description="It is for signatures.")
    kid: str = Field(description="Names it.")


class JsonWebKeys(Answer):
    """Public keys of all accounts with Ed25519 signatures."""

    keys: tuple[JsonWebKey, ...] = Field(description="One or more for each account.")


class Anything(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")


class FieldProblem(Answer):
    """What is wrong with one field."""

    field: str = Field(description="Its path, such as `events[3]`.")
    detail: str = Field(description="What is wrong, as a sentence.")


class ProblemBody(Answer):
    """Why the answer is no (RFC 9457)."""

    type: str = Field(description="The kind of problem, `urn:hookline:problem:...`; it never changes its meaning.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What is the matter here, as a sentence.")
    request_id: str = Field(description="Names the request; the server's log has it.")
    errors: tuple[FieldProblem, ...] | None = Field(None, description="What is wrong with each field.")
