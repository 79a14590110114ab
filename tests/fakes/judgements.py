"""What a dispatcher writes to `webhooks.endpoint-state`, for tests without one."""

from hookline.schemas.records import Disabling, DisablingReason, EndpointHealth, Subscription


def health(of: Subscription, *, opened: int = 0, failing_since_ms: int | None = None) -> EndpointHealth:
    """A judgement of the version that is given."""
    return EndpointHealth(
        subscription_id=of.subscription_id,
        account_id=of.account_id,
        subscription_version=of.version,
        opened=opened,
        probe_at_ms=2_000 if opened else None,
        failing_since_ms=failing_since_ms,
        warnings=0,
        at_ms=1_000,
    )


def disabling(
    of: Subscription, *, reason: DisablingReason = DisablingReason.GONE, at_ms: int = 1_687_270_530_000
) -> Disabling:
    """A disabling that judged the version that is given."""
    return Disabling(
        subscription_id=of.subscription_id,
        account_id=of.account_id,
        subscription_version=of.version,
        reason=reason,
        at_ms=at_ms,
    )
