"""Values for tests of rules."""

from hookline.core.window import Window
from hookline.schemas.records import Delivery

DELIVERY = Delivery(
    delivery_id="delivery_1",
    account_id="acct_1",
    subscription_id="wh_1",
    event_id="evt_1",
    event_type="user.created",
    body=b"{}",
    config_offset=0,
    created_at_ms=0,
    source_at_ms=0,
)


def window(*, records_max: int = 4, position: int = 0, committed: int = 0, metadata: str = "") -> Window:
    """A small window of one partition."""
    return Window(
        lane="fresh",
        topic="t",
        partition=0,
        position=position,
        committed=committed,
        records_max=records_max,
        keys_max=100,
        metadata=metadata,
    )
