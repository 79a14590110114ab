"""Every operation of the API with a thousand examples each, and whatever else may come over the wire; fails on any finding.

    python tests/property/fuzz.py [--examples 1000] [--seed 0] [--operation "POST /webhooks"]

The same seed asks the same again, but for ids and keys.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase

from fakes.fuzzing import Asked, Fuzzer, table
from fakes.openapi import read_document
from fakes.raw_http import Raw, answer_to, faults, raw_requests, things_there
from fakes.served import Served, served_api

_PART = 10  # of the examples, where one is many requests or most are refused
_LIMIT_PER_MINUTE = 20
_UNLIMITED: Mapping[str, Any] = {"requests_per_minute": 0, "subscriptions_max": 1_000_000}


def main() -> None:
    asked, started_s = _asked(), time.monotonic()
    seed = int.from_bytes(os.urandom(4)) if asked.seed is None else asked.seed
    print(f"seed {seed}\n{'operation':<48} {'asked':>6} {'found':>4} answers")
    all_asked = []
    for each in _rounds(asked.operation, asked.examples, seed):
        print(*table([each]), sep="\n", flush=True)
        all_asked.append(each)
    found = sum(each.findings.total() for each in all_asked)
    requests = sum(each.examples for each in all_asked)
    print(f"{requests:,} requests, {found} findings, {time.monotonic() - started_s:.0f} s")
    sys.exit(1 if found else 0)


def _rounds(operation: str | None, examples: int, seed: int) -> Iterator[Asked]:
    with served_api(**_UNLIMITED) as served:
        fuzzer = Fuzzer(served)
        for each in [operation] if operation else fuzzer.operations:
            yield fuzzer.ask(each, examples=examples, seed=seed)
            yield fuzzer.ask_boundaries(each)
        if operation is None:
            yield _raw(served, examples, seed)
    if operation is None:
        yield _scenarios(max(1, examples // _PART), seed)
        yield _limited(max(1, examples // _PART), seed)


def _scenarios(examples: int, seed: int) -> Asked:
    """On an API of their own: they change what the other rounds stand on."""
    with served_api(**_UNLIMITED) as served:
        return Fuzzer(served).walk(examples=examples, seed=seed)


def _limited(examples: int, seed: int) -> Asked:
    """All together, with a limit that nearly all go over."""
    asked = Asked(f"at most {_LIMIT_PER_MINUTE} a minute")
    with served_api(requests_per_minute=_LIMIT_PER_MINUTE) as served:
        fuzzer = Fuzzer(served, slots=[None])
        for each in fuzzer.operations:
            asked.add(fuzzer.ask(each, examples=examples, seed=seed))
    return asked


def _raw(served: Served, examples: int, seed: int) -> Asked:
    """As many as for an operation, each of odd parts."""
    asked, document = Asked("whatever comes"), served.do(read_document)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(raw_requests(things_there(served)))
    def ask(raw: Raw) -> None:
        _note(raw, served, document, asked)

    ask()
    return asked


def _note(raw: Raw, served: Served, document: Mapping[str, Any], asked: Asked) -> None:
    answer = answer_to(raw, served)
    asked.examples += 1
    asked.statuses[0 if answer is None else answer.status] += 1
    for fault in faults(raw, answer, document):
        asked.found(fault, repr(raw.sent()))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every operation of the API, a thousand times.")
    parser.add_argument("--examples", type=int, default=1_000, help="of each operation")
    parser.add_argument("--seed", type=int, help="ask the same as the run that printed it; drawn otherwise")
    parser.add_argument("--operation", help='only this one, such as "POST /webhooks"')
    return parser.parse_args()


if __name__ == "__main__":
    main()
