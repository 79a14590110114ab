"""Canaries in what lies on topics, whose files are compressed."""

import pytest
from confluent_kafka import Producer

from fakes.canaries import found_among, records_of
from fakes.kafka import make_topics
from hookline.schemas.topics import Topics

pytestmark = pytest.mark.kafka
CANARY = "canary-9b2e71"


def test_canaries_are_found_in_keys_and_values_of_compressed_records(bootstrap: str, prefix: str) -> None:
    topics = Topics(prefix)
    make_topics(bootstrap, topics)
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "lz4", "linger.ms": 50})
    for key, value in ((b"k", CANARY.encode()), (CANARY.encode(), None), (b"k", b"harmless" * 100)):
        producer.produce(topics.subscriptions, value, key, partition=0)
    assert producer.flush(30) == 0
    found = found_among(records_of(bootstrap, [topics.subscriptions, topics.accounts]), [CANARY])
    assert found == [
        f"{topics.subscriptions}[0]@0 value: canary 1 in UTF-8",
        f"{topics.subscriptions}[0]@1 key: canary 1 in UTF-8",
    ]


def test_a_topic_that_is_not_there_is_not_one_without_canaries(bootstrap: str, prefix: str) -> None:
    with pytest.raises(AssertionError, match="there are no topics"):
        list(records_of(bootstrap, [f"{prefix}none"]))
