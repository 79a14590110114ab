"""What is worked out of a subscription before it is sent to: its secrets opened, its URL read. It lasts until it changes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from multidict import CIMultiDict
from yarl import URL

from hookline.core.asymmetric import sign, signing_key
from hookline.core.masking import MASK
from hookline.core.redaction import spellings
from hookline.core.request_secrets import request_secrets
from hookline.core.sealing import Purpose, unseal_of
from hookline.core.shown_headers import shown_ours
from hookline.core.signing import Signer, headers_of_two, signed_content
from hookline.core.static_headers import read_headers, sendable
from hookline.runtime.handshake import ORIGIN
from hookline.runtime.outbound_session import time_limits
from hookline.runtime.settings import MasterKey
from hookline.schemas.records import Account, Delivery, SealedSecret, Subscription

_PREPARED_MAX = 10_000  # subscriptions that are kept worked out


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A subscription with its secrets in clear. It has no repr: nothing of it may come into a log line by accident."""

    subscription: Subscription  # this very one: two changes of unknown fate may bear the same version
    account: Account | None  # this very one, too
    url: URL
    same_headers: CIMultiDict[str]  # of every request
    same_shown: tuple[str, ...]  # of every request, as they are put on record
    signer: Signer
    coming: Signer | None
    account_key: Ed25519PrivateKey | None
    limits: aiohttp.ClientTimeout
    secrets: Sequence[bytes]  # what no answer may bring back, as `redacted` wants it

    def headers(self, delivery: Delivery, started_at_ms: int) -> CIMultiDict[str]:
        """The headers of a request that starts now: the subscription's own, and ours, which win."""
        delivery_id, timestamp_s, body = delivery.delivery_id, started_at_ms // 1_000, delivery.body
        current, coming = self._signers(started_at_ms)
        headers = self.same_headers.copy()
        if coming is None:
            headers.update(current.headers(delivery_id=delivery_id, timestamp_s=timestamp_s, body=body))
        else:
            headers.update(headers_of_two(current, coming, delivery_id=delivery_id, timestamp_s=timestamp_s, body=body))
        if self.account_key is not None:
            content = signed_content(delivery_id=delivery_id, timestamp_s=timestamp_s, body=body)
            headers["webhook-signature"] += f" {sign(self.account_key, content)}"
        headers["X-Webhook-Event"] = delivery.event_type
        headers["X-Webhook-Attempt"] = str(delivery.attempt)
        return headers

    def shown(self, headers: Mapping[str, str], delivery: Delivery) -> tuple[str, ...]:
        """A request's headers as they are put on record, all that are sent: see `hookline.core.shown_headers`."""
        return (*self.same_shown, *shown_ours(headers), f"Content-Length: {len(delivery.body)}")

    def _signers(self, started_at_ms: int) -> tuple[Signer, Signer | None]:
        """Who signs; two while the secret is being changed."""
        from_ms = self.subscription.next_secret_from_ms
        if self.coming is None or from_ms is None:
            return self.signer, None
        return (self.coming, None) if started_at_ms >= from_ms else (self.signer, self.coming)


class Preparer:
    """Opens what is sealed, and keeps the newest subscriptions open until they or their accounts change."""

    def __init__(
        self,
        *,
        master_keys: Sequence[MasterKey],
        asymmetric_keys: Sequence[MasterKey],
        origin: str,
        limits: aiohttp.ClientTimeout,
        session_headers: Mapping[str, str],
    ) -> None:
        """Of `asymmetric_keys` the first signs; `limits`: of a subscription that has none of its own.

        `origin`: the name under which endpoints of accounts that check ownership have agreed to be called.
        `session_headers`: what the session adds to every request.
        """
        self._keys = tuple(master_keys)
        self._asymmetric_key = asymmetric_keys[0] if asymmetric_keys else None
        self._origin = origin
        self._limits = limits
        self._session_headers = session_headers
        self._prepared: dict[str, Prepared] = {}

    def prepared(self, subscription: Subscription, account: Account | None) -> Prepared:
        """ConfigError or ContractError if something in it can't be opened, ValueError if its URL is none."""
        known = self._prepared.get(subscription.subscription_id)
        if known is not None and known.subscription is subscription and known.account is account:
            return known
        if len(self._prepared) >= _PREPARED_MAX:
            self._prepared.clear()
        prepared = self._opened(subscription, account)
        self._prepared[subscription.subscription_id] = prepared
        return prepared

    def _opened(self, subscription: Subscription, account: Account | None) -> Prepared:
        static_headers, url = self._static_headers(subscription), self._url(subscription)
        secret, coming = self._signing_secrets(subscription)
        secrets = request_secrets(
            headers=static_headers,
            user=url.user or "",
            password=url.password or "",
            query=url.raw_query_string,
            signing_secrets=(secret, coming or ""),
            known=subscription.events,
        )
        same_headers = self._same_headers(static_headers, account)
        return Prepared(
            subscription=subscription,
            account=account,
            url=_without_second_authorization(url, static_headers),
            same_headers=same_headers,
            same_shown=self._same_shown(url, same_headers, masked=static_headers),
            signer=Signer(secret),
            coming=None if coming is None else Signer(coming),
            account_key=self._account_key(account),
            limits=self._limits if subscription.timeout_s is None else time_limits(subscription.timeout_s),
            secrets=spellings(secrets),
        )

    def _same_headers(self, static_headers: Mapping[str, str], account: Account | None) -> CIMultiDict[str]:
        headers = CIMultiDict(static_headers)
        headers["Content-Type"] = "application/json"
        if account is not None and account.checks_ownership:
            headers[ORIGIN] = self._origin
        return headers

    def _same_shown(self, url: URL, same: Mapping[str, str], *, masked: Collection[str]) -> tuple[str, ...]:
        """The client's own headers, which are the same each time, then `same`; the values of the customer's own masked."""
        clients = {"Host": url.host_port_subcomponent or "", "Accept": "*/*", **self._session_headers}
        if url.user is not None or url.password is not None:
            masked = {*masked, "Authorization"}
        shown = CIMultiDict(clients)
        shown.update(same)
        shown.update(dict.fromkeys(masked, MASK))
        return tuple(f"{name}: {value}" for name, value in shown.items())

    def _account_key(self, account: Account | None) -> Ed25519PrivateKey | None:
        if account is None or not account.signs_ed25519 or self._asymmetric_key is None:
            return None
        return signing_key(self._asymmetric_key, account.account_id)

    def _url(self, subscription: Subscription) -> URL:
        sealed = subscription.sealed_url
        return URL(subscription.url if sealed is None else self._unsealed(subscription, sealed, Purpose.URL))

    def _static_headers(self, subscription: Subscription) -> Mapping[str, str]:
        sealed = subscription.headers
        return {} if sealed is None else sendable(read_headers(self._unsealed(subscription, sealed, Purpose.HEADERS)))

    def _signing_secrets(self, subscription: Subscription) -> tuple[str, str | None]:
        """The one that signs, and the one that is to."""
        secret, coming = subscription.secret, subscription.next_secret
        return (
            self._unsealed(subscription, secret, Purpose.SECRET),
            None if coming is None else self._unsealed(subscription, coming, Purpose.SECRET),
        )

    def _unsealed(self, subscription: Subscription, sealed: SealedSecret, purpose: Purpose) -> str:
        return unseal_of(sealed, subscription, keys=self._keys, purpose=purpose)


def _without_second_authorization(url: URL, static_headers: Mapping[str, str]) -> URL:
    """Without its user, if there is an Authorization: aiohttp would make one more of it, and fail."""
    return url.with_user(None) if "authorization" in CIMultiDict(static_headers) else url
