"""How our own producers are set up: idempotent, acks=all, and with the partitions that every other client finds."""

from hookline.runtime.kafka_client import RECONNECT_MS
from hookline.schemas.topics import RECORD_BYTES_MAX

QUEUE_RECORDS_MAX = 100_000  # more than every role's own bound on outstanding writes
_QUEUE_KIB_MAX = 128 * 1024


def producer_configuration(bootstrap_servers: str, *, linger_ms: int, answer_s: float) -> dict[str, str | int | bool]:
    """The client's settings. What the broker has not taken after `answer_s` is not written any more, and fails."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",  # librdkafka's default disagrees with Faust's and Java's
        "compression.type": "lz4",
        "linger.ms": linger_ms,
        "message.max.bytes": RECORD_BYTES_MAX,
        "delivery.timeout.ms": round(answer_s * 1_000),
        "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
        "queue.buffering.max.kbytes": _QUEUE_KIB_MAX,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "topic.metadata.propagation.max.ms": 10_000,
        "log_level": 2,  # what matters comes as errors of writes; a broker that is away would fill pages at 3
    }
