"""A million steps of every machine together, in random runs; a failing one is printed and can be taken again.

    python tests/property/million.py [--steps 1000000] [--seed 0]
    python tests/property/million.py --replay Partition 1234

Steps that found nothing to do are not counted.
"""

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from fakes.health_machine import EndpointHealth
from fakes.isolation_machine import Isolated
from fakes.machines import Machine, run
from fakes.partition_machine import Partition

MACHINES: Mapping[str, type[Machine]] = {kind.__name__: kind for kind in (Partition, Isolated, EndpointHealth)}
_PARTS = {"Partition": 5, "Isolated": 4, "EndpointHealth": 1}  # of ten
_RUN_STEPS = 200
_BATCH_RUNS = 25
_SEEDS = 1 << 32


class FailedRunError(Exception):
    """One run in which something did not hold; the message says how to take it again."""


def main() -> None:
    asked = _asked()
    if asked.replay:
        kind, seed = asked.replay
        print(
            run(MACHINES[kind], seed=int(seed), steps=_RUN_STEPS, trace=True), "steps found something to do; all held"
        )
        return
    started_s, seed = time.monotonic(), int.from_bytes(os.urandom(4)) if asked.seed is None else asked.seed
    print(f"seed {seed}")
    counts: Counter[str] = Counter()
    try:
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            for kind, part in _PARTS.items():
                counts[kind] = _steps(pool, kind, seed, asked.steps * part // 10)
                print(f"{kind}: {counts[kind]:,} steps, all invariants held after each")
    except FailedRunError as error:
        sys.exit(str(error))
    print(f"{sum(counts.values()):,} steps in all, {time.monotonic() - started_s:.0f} s")


def _steps(pool: ProcessPoolExecutor, kind: str, seed: int, wanted: int) -> int:
    """Runs until there are so many steps."""
    seeds, done = _batches(seed), 0
    while done < wanted:
        asked: list[Future[int]] = [pool.submit(batch, kind, next(seeds)) for _ in range(2 * (os.cpu_count() or 1))]
        done += sum(each.result() for each in as_completed(asked))
    return done


def batch(kind: str, first_seed: int) -> int:
    """Some runs in a row; how many of their steps found something to do."""
    done = 0
    for seed in range(first_seed, first_seed + _BATCH_RUNS):
        try:
            done += run(MACHINES[kind], seed=seed, steps=_RUN_STEPS)
        except Exception:  # noqa: BLE001 - a crash of a rule is a failure like a broken invariant
            raise FailedRunError(
                f"{traceback.format_exc()}\nagain, step by step: PYTHONPATH=tests python {__file__} --replay {kind} {seed}"
            ) from None
    return done


def _batches(seed: int) -> Iterator[int]:
    while True:
        yield seed % _SEEDS
        seed += _BATCH_RUNS


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A million steps of every machine together.")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, help="of the first run; drawn otherwise")
    parser.add_argument("--replay", nargs=2, metavar=("MACHINE", "SEED"), help="take one run again, step by step")
    return parser.parse_args()


if __name__ == "__main__":
    main()
