"""One wrong line each, and the tests that must find it. The old text has to be in its file exactly once."""

from dataclasses import dataclass

_UNIT, _PROPERTY, _CONTRACT = "tests/unit", "tests/property", "tests/contract"
_CORE = "src/hookline/core"
_PARTITION = f"{_PROPERTY}/test_machines.py::test_long_runs_that_are_always_the_same[Partition]"
_ISOLATED = f"{_PROPERTY}/test_machines.py::test_long_runs_that_are_always_the_same[Isolated]"
_HEALTH = f"{_PROPERTY}/test_machines.py::test_long_runs_that_are_always_the_same[EndpointHealth]"
_LIVES = f"{_PROPERTY}/test_dispatch_scripts.py::test_so_does_it_in_a_long_run"
_WORKER = f"{_CONTRACT}/test_worker.py"
_ASSIGNMENTS = f"{_CONTRACT}/test_worker_assignments.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A patch: `name` says what is wrong then."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _rule(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"{_CORE}/{file}", old, new, tests)


def _shell(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"dispatchers/{file}", old, new, tests)


COMMITS = (
    _rule(
        "the commit passes what is open",
        "window.py",
        "position = max(self.committed, self._progress.position)",
        "position = max(self.committed, self._progress.position + self._progress.span())",
        f"{_UNIT}/test_window.py",
    ),
    _rule(
        "a commit says what was closed last",
        "offsets.py",
        "self.position = first + 1",
        "self.position = offset + 1",
        f"{_UNIT}/test_offsets.py",
    ),
    _rule(
        "closing the first closes one more",
        "offsets.py",
        "while self._read and self._read[0] in self._done:",
        "while self._read and (self._read[0] in self._done or self._done.add(self._read[0])):",
        f"{_UNIT}/test_offsets.py",
        _PARTITION,
    ),
    _rule(
        "what was done before and is not read yet is repeated",
        "window.py",
        "while position in self._done_before:",
        "while False:",
        f"{_UNIT}/test_window.py",
    ),
    _rule(
        "the rewound position is committed",
        "window.py",
        "position = max(self.committed, self._progress.position)",
        "position = self._progress.position",
        f"{_UNIT}/test_window.py",
    ),
    _shell(
        "commits carry no bitmap",
        "worker.py",
        "return Commit(window.position, window.metadata)",
        "return Commit(window.position)",
        _ASSIGNMENTS,
    ),
    _shell(
        "the bitmap is not read",
        "worker.py",
        "metadata=position.metadata,",
        'metadata="",',
        _ASSIGNMENTS,
    ),
    _shell(
        "a stop does not wait for what is in flight",
        "worker.py",
        "            if running:\n",
        "            if False:\n",
        _WORKER,
    ),
    _shell(
        "a stop commits nothing",
        "worker.py",
        "if window.hold is not Hold.GONE}",
        "if window.hold is Hold.GONE}",
        _WORKER,
    ),
)

BITMAPS = (
    _rule(
        "a bitmap is written one off",
        "offsets.py",
        "place = offset - position - 1",
        "place = offset - position",
        f"{_UNIT}/test_offsets.py",
    ),
    _rule(
        "a bitmap is read one off",
        "offsets.py",
        "position + 1 + 8 * at + bit",
        "position + 8 * at + bit",
        f"{_UNIT}/test_offsets.py",
    ),
    _rule(
        "bits are written from the other end",
        "offsets.py",
        "bits[at] |= 1 << (place & 7)",
        "bits[at] |= 128 >> (place & 7)",
        f"{_UNIT}/test_offsets.py",
    ),
    _rule(
        "bits are read from the other end",
        "offsets.py",
        "byte >> bit & 1",
        "byte << bit & 128",
        f"{_UNIT}/test_offsets.py",
    ),
    _rule(
        "one bit more than Kafka takes",
        "offsets.py",
        "if 0 <= place < OFFSETS_MAX:",
        "if 0 <= place <= OFFSETS_MAX:",
        f"{_UNIT}/test_offsets.py",
    ),
    _rule(
        "metadata of another kind is read as ours",
        "offsets.py",
        "if not metadata.startswith(_VERSION):",
        "if not metadata:",
        f"{_UNIT}/test_offsets.py",
        f"{_UNIT}/test_window.py",
        _PARTITION,
    ),
    _rule(
        "what an earlier assignment did is left out",
        "window.py",
        "(*self._progress.beyond(), *self._done_before)",
        "(*self._progress.beyond(),)",
        f"{_UNIT}/test_window.py",
    ),
)

REPEATS = (
    _rule(
        "the memory's key has no run",
        "repeats.py",
        "return AttemptKey(delivery.delivery_id, delivery.run, delivery.attempt)",
        "return AttemptKey(delivery.delivery_id, 0, delivery.attempt)",
        f"{_UNIT}/test_repeats.py",
    ),
    _rule(
        "the memory's key has no attempt",
        "repeats.py",
        "return AttemptKey(delivery.delivery_id, delivery.run, delivery.attempt)",
        "return AttemptKey(delivery.delivery_id, delivery.run, 1)",
        f"{_UNIT}/test_repeats.py",
    ),
    _rule(
        "the memory's key has no count of postponements",
        "repeats.py",
        "return StepKey(attempt_key(delivery), delivery.postponed)",
        "return StepKey(attempt_key(delivery), 0)",
        f"{_UNIT}/test_repeats.py",
    ),
    _rule(
        "a postponed record is remembered as an attempt",
        "repeats.py",
        "self._keep(step_key(delivery))",
        "self._keep(attempt_key(delivery))",
        f"{_UNIT}/test_repeats.py",
    ),
    _rule(
        "a later step closes with the first",
        "repeats.py",
        "if postponed > delivery.postponed}",
        "if postponed > delivery.postponed + 9}",
        f"{_UNIT}/test_repeats.py",
    ),
    _rule(
        "what was done before is not remembered",
        "window.py",
        "            self._done_before.remove(offset)\n            self._repeats.remember(delivery)\n",
        "            self._done_before.remove(offset)\n",
        _PARTITION,
    ),
    _shell(
        "all that is to be parked is written at once",
        "worker.py",
        "self._postponing < _POSTPONING_MAX",
        "self._postponing < 1_000_000",
        "tests/contract/test_isolation.py",
    ),
    _shell(
        "what lies before the commit is not remembered",
        "worker.py",
        "window.remember(delivery)",
        "pass",
        f"{_PROPERTY}/test_dispatch_scripts.py::test_a_copy_of_what_an_earlier_process_did_is_not_sent",
    ),
    _shell(
        "the successor of a postponed record counts no postponement",
        "recorder.py",
        "parked = replace(delivery, postponed=delivery.postponed + 1,",
        "parked = replace(delivery, postponed=delivery.postponed,",
        _LIVES,
    ),
    _shell(
        "a record that came back early is dropped",
        "worker.py",
        "following = window.postpone(slot)",
        "window.postpone(slot)",
        f"{_PROPERTY}/test_dispatch_scripts.py::test_what_comes_back_before_its_postponement_is_acknowledged_is_not_lost",
    ),
)

WRITES = (
    Mutant(
        "a failed write counts as done",
        "src/hookline/runtime/log.py",
        "            await asyncio.sleep(wait_s)\n",
        "            return Written(topic, 0, 0, 0)\n",
        (_WORKER,),
    ),
    _shell(
        "a failed forward counts as done",
        "forwarder.py",
        "self._spawn(waiting, record, self._written_again(waiting, record, delivery))",
        "self._close(waiting, record)",
        "tests/contract/test_forwarder.py",
    ),
    _shell(
        "the attempt is written before the retry",
        "recorder.py",
        "                next_attempt_at_ms = await self._retry(delivery, source, wait_ms)\n",
        "                await self._record(self._attempt(delivery, source, sent, verdict, 1))\n"
        "                next_attempt_at_ms = await self._retry(delivery, source, wait_ms)\n",
        _WORKER,
    ),
    _shell(
        "done does not wait for the attempt",
        "recorder.py",
        "        await self._record(self._attempt(delivery, source, sent, verdict, next_attempt_at_ms))\n",
        "        __import__('asyncio').ensure_future(\n"
        "            self._record(self._attempt(delivery, source, sent, verdict, next_attempt_at_ms))\n"
        "        )\n",
        _WORKER,
    ),
    _shell(
        "an exhausted delivery leaves no dead letter",
        "recorder.py",
        '                await self._bury(delivery, source, DeathReason.EXHAUSTED, f"after {delivery.attempt} attempts")\n',
        "                pass\n",
        _LIVES,
    ),
    _shell(
        "a retry is forwarded before its time",
        "forwarder.py",
        "return self.records[0].timestamp_ms + self.delay_ms",
        "return self.records[0].timestamp_ms + self.delay_ms // 2",
        _LIVES,
    ),
)

STALE = (
    _shell(
        "a late result closes its record",
        "worker.py",
        "        if window.hold is Hold.GONE:\n            return\n",
        "",
        _ASSIGNMENTS,
    ),
    _shell(
        "a stop commits what was lost meanwhile",
        "worker.py",
        " for each, window in windows.items() if window.hold is not Hold.GONE}",
        " for each, window in windows.items()}",
        _ASSIGNMENTS,
    ),
    _shell(
        "a late result is retried",
        "deliverer.py",
        "if slot.window.hold is Hold.GONE:",
        "if False:",
        _WORKER,
    ),
    _rule(
        "what waited for a partition that went starts after all",
        "share.py",
        "            if slot.window.hold is Hold.OURS:\n                return slot\n",
        "            return slot\n",
        f"{_UNIT}/test_share.py",
        f"{_UNIT}/test_isolation_rules.py",
    ),
    _shell(
        "who is no member sends",
        "worker.py",
        "while window.hold is Hold.OURS and not self._the_reader().is_member():",
        "while False:",
        _WORKER,
    ),
    _shell(
        "a view that is behind cancels",
        "worker.py",
        "if slot.delivery.config_offset > self._view.applied:",
        "if False:",
        _WORKER,
    ),
)

ISOLATION = (
    _rule(
        "endpoints in doubt take all of a lane",
        "limits.py",
        "Standing.DOUBTFUL: 0.5}",
        "Standing.DOUBTFUL: 1.0}",
        f"{_UNIT}/test_limits.py",
        f"{_UNIT}/test_isolation_rules.py",
    ),
    _rule(
        "a lane takes one more than its budget",
        "isolation.py",
        "if counts and held >= budget_of(each, self.budget):",
        "if counts and held > budget_of(each, self.budget):",
        f"{_UNIT}/test_isolation_rules.py",
    ),
    _rule(
        "an endpoint takes one more than its cap",
        "share.py",
        "if side.in_flight + other.in_flight >= total:",
        "if side.in_flight + other.in_flight > total:",
        f"{_UNIT}/test_share.py",
    ),
    _rule(
        "the other lane's part of the cap is not kept for it",
        "share.py",
        "return not other.waiting or side.in_flight < ",
        "return True or side.in_flight < ",
        f"{_UNIT}/test_share.py",
    ),
    _rule(
        "an endpoint that proved nothing has a cap of 3",
        "limits.py",
        "UNPROVEN_MAX = 2",
        "UNPROVEN_MAX = 3",
        f"{_UNIT}/test_limits.py",
    ),
    _rule(
        "a breaker that is not closed limits nothing",
        "limits.py",
        "if limits.breaker is not Breaker.CLOSED:",
        "if False:",
        f"{_UNIT}/test_limits.py",
    ),
    _rule(
        "the time an endpoint was idle is saved up",
        "limits.py",
        "max(self.next_ms, now_ms - _LATE_MS) + 1_000 / rate",
        "self.next_ms + 1_000 / rate if self.next_ms > 0 else now_ms",
        f"{_UNIT}/test_limits.py",
    ),
    _rule(
        "a start spends no token",
        "isolation.py",
        "share.spend(slot.window.lane, now_ms, both_here=self._both_here(share))",
        "pass",
        f"{_UNIT}/test_isolation_rules.py",
    ),
    _rule(
        "a limit that is new does not hold for who stands in turn",
        "share.py",
        "return self.limits.rate is None or self.token_ms(lane, both_here=both_here) <= now_ms",
        "return True",
        f"{_UNIT}/test_isolation_rules.py",
        f"{_UNIT}/test_share.py",
    ),
    _rule(
        "who is due while the lane is full waits for the next tick",
        "isolation.py",
        "for each in due if name is None else ():",
        "for each in ():",
        f"{_UNIT}/test_isolation_rules.py",
    ),
    _rule(
        "the youngest goes first",
        "share.py",
        "heappush(side.waiting, (slot.delivery.created_at_ms, order, slot))",
        "heappush(side.waiting, (-slot.delivery.created_at_ms, order, slot))",
        f"{_UNIT}/test_share.py",
    ),
    _rule(
        "silence is no doubt",
        "pace.py",
        "_PATIENCE_FACTOR = 4.0",
        "_PATIENCE_FACTOR = 1e9",
        f"{_UNIT}/test_endpoint_pace.py",
    ),
    _rule(
        "a lost partition's budget is given back too early",
        "isolation.py",
        "        self._here.discard((window.lane, window.partition))\n",
        "        self._here.discard((window.lane, window.partition))\n        self.lanes[window.lane].held.update(_counts())\n",
        f"{_UNIT}/test_isolation_rules.py",
        _ISOLATED,
    ),
    _shell(
        "bytes are not given back",
        "worker.py",
        "self._bytes.give_back(window.lane, held_bytes - window.open_bytes)",
        "pass",
        _WORKER,
    ),
)

HEALTH = (
    _rule("a breaker opens late", "breaker.py", "_OPENS_AT = 20", "_OPENS_AT = 21", f"{_UNIT}/test_breaker.py"),
    _rule(
        "a probe that fails closes the breaker's eyes",
        "breaker.py",
        "if was is Breaker.PROBE or (",
        "if (",
        f"{_UNIT}/test_breaker.py",
    ),
    _rule(
        "a probe is never let through",
        "breaker.py",
        "return Breaker.PROBE if now_ms >= health.probe_at_ms else Breaker.OPEN",
        "return Breaker.OPEN",
        f"{_UNIT}/test_breaker.py",
    ),
    _rule(
        "results that come while it is open move the probe",
        "breaker.py",
        "(was is Breaker.CLOSED and warned.weight >= _OPENS_AT)",
        "warned.weight >= _OPENS_AT",
        f"{_UNIT}/test_breaker.py",
        _HEALTH,
    ),
    _rule(
        "a breaker's change is not put on record",
        "breaker.py",
        "        return True\n    if found.failing_since_ms is None:",
        "        return False\n    if found.failing_since_ms is None:",
        f"{_UNIT}/test_breaker.py",
    ),
    _rule(
        "an endpoint that fails long enough is never given up",
        "breaker.py",
        "return now_ms - health.failing_since_ms >= disable_after_ms",
        "return False",
        f"{_UNIT}/test_breaker.py",
    ),
)

MUTANTS = (*COMMITS, *BITMAPS, *REPEATS, *WRITES, *STALE, *ISOLATION, *HEALTH)
