"""Settings, keys and configuration records for tests that need no API."""

import base64
from collections.abc import Mapping
from dataclasses import replace

from hookline.core.ids import delivery_id
from hookline.core.masking import masked_url
from hookline.core.sealing import Purpose, seal
from hookline.core.static_headers import write_headers
from hookline.runtime.clock import SystemClock
from hookline.runtime.draw import event_id, sealing_nonce, subscription_id
from hookline.runtime.settings import Endpoints, MasterKey, Settings
from hookline.schemas.records import Account, Delivery, SealedSecret, Subscription, SubscriptionStatus

ACCOUNT = "acct_test"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MASTER_KEY = MasterKey("k1", bytes(range(32)))


def short_settings(
    bootstrap: str, prefix: str, *, retry_tiers: tuple[int, ...] = (200, 400, 600), **changes: object
) -> Settings:
    """Settings for one test: its own topics and groups, short tiers, loopback endpoints."""
    settings = Settings(
        bootstrap_servers=bootstrap,
        topic_prefix=prefix,
        retry_tiers=retry_tiers,
        postponed_tiers=(100, 300),
        endpoints=Endpoints.LOOPBACK,
        master_keys=(MASTER_KEY,),
        session_timeout_s=6,
        drain_s=5,
    )
    return replace(settings, **changes)  # type: ignore[arg-type]  # the tests name real settings


def subscription(
    url: str,
    *events: str,
    account_id: str = ACCOUNT,
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE,
    secret: str = SECRET,
) -> Subscription:
    """A new subscription, sealed with the tests' master key."""
    drawn = subscription_id()
    now_ms = SystemClock().now_ms()
    return Subscription(
        subscription_id=drawn,
        account_id=account_id,
        version=1,
        url=url,
        events=events or ("user.created",),
        description=None,
        status=status,
        secret=seal(secret, key=MASTER_KEY, nonce=sealing_nonce(), account_id=account_id, subscription_id=drawn),
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
    )


def account(account_id: str = ACCOUNT, *, signs_ed25519: bool = False, checks_ownership: bool = False) -> Account:
    """The owner of the tests' subscriptions."""
    return Account(
        account_id=account_id,
        name="Example",
        created_at_ms=SystemClock().now_ms(),
        signs_ed25519=signs_ed25519,
        checks_ownership=checks_ownership,
    )


def sealed_for(of: Subscription, text: str, purpose: Purpose, *, key: MasterKey = MASTER_KEY) -> SealedSecret:
    """A text sealed for this subscription."""
    account_id, subscription_id = of.account_id, of.subscription_id
    nonce = sealing_nonce()
    return seal(text, key=key, nonce=nonce, account_id=account_id, subscription_id=subscription_id, purpose=purpose)


def with_secrets(of: Subscription, *, headers: Mapping[str, str] | None = None, url: str = "") -> Subscription:
    """The subscription with static headers, and with a URL that is sealed; without either it is the same."""
    if headers is not None:
        sealed = sealed_for(of, write_headers(headers), Purpose.HEADERS)
        of = replace(of, headers=sealed, header_names=tuple(headers))
    return replace(of, url=masked_url(url), sealed_url=sealed_for(of, url, Purpose.URL)) if url else of


def delivery(
    to: Subscription, body: bytes = b'{"event":"user.created"}', *, config_offset: int = 0, is_test: bool = False
) -> Delivery:
    """A fresh delivery of a new event to a subscription."""
    event, now_ms = event_id(), SystemClock().now_ms()
    return Delivery(
        delivery_id=delivery_id(to.account_id, event, to.subscription_id),
        account_id=to.account_id,
        subscription_id=to.subscription_id,
        event_id=event,
        event_type="user.created",
        body=body,
        config_offset=config_offset,
        created_at_ms=now_ms,
        source_at_ms=now_ms,
        is_test=is_test,
    )
