"""Is a broker there? Asked until it is, or a deadline passes."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

_ASK_TIMEOUT_S = 1.0
_SILENT = 0  # librdkafka's log level: a broker that is not up yet is no news


def wait_for(condition: Callable[[], bool], *, deadline_s: float, every_s: float = 0.05) -> bool:
    """Ask until the condition holds; False when it did not within the deadline. It is asked at least once."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= end_s:
            return False
        time.sleep(every_s)
    return True


def answers(bootstrap_servers: str) -> bool:
    """Whether a client gets the cluster's brokers from there within a second."""
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": _SILENT})
    try:
        return bool(client.list_topics(timeout=_ASK_TIMEOUT_S).brokers)
    except KafkaException:
        return False
