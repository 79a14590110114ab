"""Publishes events at a steady rate: a process of its own, so that nobody's work makes it late.

Each line of its input is a JSON object: how many events, at which rate, the accounts that they go to in turn, and what their
ids begin with. It answers each with a line when Kafka has them all.
"""

import json
import sys
import time
from datetime import UTC, datetime

from hookline.producers import Event, Publisher
from hookline.runtime.catalogue import load_catalogue
from hookline.schemas.codec import sample_event

_CATALOGUE = load_catalogue()
TYPE = "user.created"


def publish(publisher: Publisher, wish: dict[str, object]) -> dict[str, float]:
    """How long it took, and how late the latest event was."""
    rate, count, accounts = float(str(wish["rate"])), int(str(wish["count"])), list(wish["accounts"])  # type: ignore[call-overload]
    started_s, late_s = time.monotonic(), 0.0
    for number in range(count):
        ahead_s = started_s + number / rate - time.monotonic()
        if ahead_s > 0:
            time.sleep(ahead_s)
        late_s = max(late_s, -ahead_s)
        publisher.submit(event(f"{wish['ids']}{number}", number, str(accounts[number % len(accounts)])))
    took_s = time.monotonic() - started_s
    publisher.flush()
    return {"took_s": took_s, "late_s": late_s}


def event(event_id: str, number: int, account_id: str) -> Event:
    """One that bears the time of its publishing."""
    found = sample_event(_CATALOGUE, TYPE, event_id=event_id, account_id=account_id, occurred_at=datetime.now(UTC))
    data = {**found.data, "id": f"user_{number}", "username": str(time.time_ns())}
    return Event(event_id=event_id, account_id=account_id, type=TYPE, occurred_at=found.occurred_at, data=data)


def main(bootstrap_servers: str, topic_prefix: str) -> None:
    with Publisher(bootstrap_servers=bootstrap_servers, topic_prefix=topic_prefix, linger_ms=0) as publisher:
        publisher.publish(event("warm", 0, "acct_nobody"))  # a producer's first message takes 0.6 s
        for line in sys.stdin:
            sys.stdout.write(json.dumps(publish(publisher, json.loads(line))) + "\n")
            sys.stdout.flush()


main(sys.argv[1], sys.argv[2])
