"""Sealing and opening what a subscription's record holds encrypted."""

import hashlib
import hmac
import json
import logging

from hookline.api.ports import Draw
from hookline.api.problems import Refused, unopened
from hookline.api.requests import NewWebhook
from hookline.core.sealing import Purpose, seal, unseal_of
from hookline.core.static_headers import read_headers, write_headers
from hookline.runtime.settings import Settings
from hookline.schemas.errors import ConfigError, ContractError
from hookline.schemas.records import SealedSecret, Subscription

_log = logging.getLogger("hookline.api")


class Vault:
    """Seals with the newest master key; opens with any. Refused with 503 if none of them opens it: the operator acts."""

    def __init__(self, settings: Settings, draw: Draw) -> None:
        self._keys = settings.master_keys
        self._draw = draw

    def sealed(self, text: str, purpose: Purpose, *, account_id: str, subscription_id: str) -> SealedSecret:
        """The text, for this purpose and this subscription alone."""
        return seal(
            text,
            key=self._keys[0],
            nonce=self._draw.sealing_nonce(),
            account_id=account_id,
            subscription_id=subscription_id,
            purpose=purpose,
        )

    def opened(self, sealed: SealedSecret, purpose: Purpose, subscription: Subscription) -> str:
        """What was sealed."""
        try:
            return unseal_of(sealed, subscription, keys=self._keys, purpose=purpose)
        except (ConfigError, ContractError) as error:
            facts = {"subscription_id": subscription.subscription_id, "master_key": sealed.key_id, "error": str(error)}
            _log.error("secret.unopened", extra=facts)
            raise unopened(str(error)) from error

    def url(self, subscription: Subscription) -> str:
        """The endpoint's URL in full."""
        sealed = subscription.sealed_url
        return subscription.url if sealed is None else self.opened(sealed, Purpose.URL, subscription)

    def has_url(self, subscription: Subscription, url: str) -> bool:
        """Whether this is the endpoint's URL in full. One that does not open is another: who gives a new one need not know it."""
        try:
            return url == self.url(subscription)
        except Refused:
            return False

    def headers(self, subscription: Subscription) -> dict[str, str]:
        """The static headers with their values."""
        sealed = subscription.headers
        return {} if sealed is None else dict(read_headers(self.opened(sealed, Purpose.HEADERS, subscription)))

    def has_headers(self, subscription: Subscription, headers: dict[str, str]) -> bool:
        """Whether these are all static headers. Those that do not open are others, as with a URL."""
        try:
            return headers == self.headers(subscription)
        except Refused:
            return False

    def sealed_headers(self, headers: dict[str, str], *, account_id: str, subscription_id: str) -> SealedSecret | None:
        """Static headers; None if there are none."""
        if not headers:
            return None
        text = write_headers(headers)
        return self.sealed(text, Purpose.HEADERS, account_id=account_id, subscription_id=subscription_id)

    def was_asked(self, subscription: Subscription, digest: str) -> bool:
        """Whether the request that made this subscription had this digest."""
        asked = subscription.asked
        return asked is not None and hmac.compare_digest(self.opened(asked, Purpose.REQUEST, subscription), digest)


def digest_of(wanted: NewWebhook) -> str:
    """What tells one request from another. It is kept sealed: it is made of a secret that may be easy to guess."""
    given = wanted.model_dump(include=wanted.model_fields_set)
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
