"""One of several history processes that fill one store, each with its own partitions: a process of its own, as in earnest.

Its first line of input is a `Share` as JSON. It makes its records, says `{}`, and takes them in when the next line comes; then it
says how long that took.
"""

import asyncio
import heapq
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import uvloop
from attempts import Traffic
from intake import PARTITIONS, Recorder, partition_of, taking_in

from hookline.processors.history import collect_rarely
from hookline.runtime.catalogue import load_catalogue
from hookline.runtime.history import open_history
from hookline.runtime.log import KafkaRecord
from hookline.runtime.settings import Settings
from hookline.schemas.codec import Codec
from hookline.schemas.records import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Process `number` of `processes`, from 0 on; `attempts` are those of all of them together."""

    history_url: str
    number: int
    processes: int
    attempts: int
    webhooks: int
    begins_ms: int
    per_day: int


async def main() -> None:
    collect_rarely()
    share = Share(**json.loads(sys.stdin.readline()))
    settings, codec = Settings(history_url=share.history_url), Codec(load_catalogue())
    records = made(share, Recorder(settings, codec))
    async with open_history(settings) as store, taking_in(store, settings, codec) as intake:
        await store.offsets(settings.topics().attempts)  # a first connection is no work of history's
        say({})
        await asyncio.to_thread(sys.stdin.readline)
        cpu_s = time.process_time()
        took_s = await intake.take(records)
        say({"count": len(records), "took_s": took_s, "cpu_s": time.process_time() - cpu_s})


def made(share: Share, recorder: Recorder) -> Sequence[KafkaRecord]:
    """The records of the partitions that are this process's. All processes make the same attempts."""
    traffic = Traffic(webhooks=share.webhooks, begins_ms=share.begins_ms, per_day=share.per_day)
    attempts = list(islice(traffic.attempts(), share.attempts))
    owners = shared_out(attempts, share.processes)
    return [recorder.record(each) for each in attempts if owners[partition_of(each)] == share.number]


def shared_out(attempts: Iterable[Attempt], processes: int) -> Mapping[int, int]:
    """By partition the process that has it. As even as whole partitions can be: half of all attempts are one webhook's."""
    counts = Counter(dict.fromkeys(range(PARTITIONS), 0))
    counts.update(map(partition_of, attempts))
    loads = [(0, number) for number in range(processes)]
    owners = dict[int, int]()
    for partition, count in counts.most_common():
        load, number = heapq.heappop(loads)
        heapq.heappush(loads, (load + count, number))
        owners[partition] = number
    return owners


def say(what: Mapping[str, float]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
