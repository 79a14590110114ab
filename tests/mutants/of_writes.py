"""Wrong lines in what is written, in which order and when, and in whose partition it is."""

from mutants.mutant import ASSIGNMENTS, LIVES, UNIT, WORKER, Mutant, rule, shell

WRITES = (
    Mutant(
        "a failed write counts as done",
        "src/hookline/runtime/log.py",
        "            await asyncio.sleep(wait_s)\n",
        "            return Written(topic, 0, 0, 0)\n",
        (WORKER,),
    ),
    shell(
        "a failed forward counts as done",
        "forwarder.py",
        "self._spawn(waiting, record, self._written_again(waiting, record, delivery))",
        "self._close(waiting, record)",
        "tests/contract/test_forwarder.py",
    ),
    shell(
        "the attempt is written before the retry",
        "recorder.py",
        "                next_attempt_at_ms = await self._retry(delivery, source, wait_ms)\n",
        "                await self._record(self._attempt(delivery, source, sent, verdict, 1))\n"
        "                next_attempt_at_ms = await self._retry(delivery, source, wait_ms)\n",
        WORKER,
    ),
    shell(
        "done does not wait for the attempt",
        "recorder.py",
        "        await self._record(self._attempt(delivery, source, sent, verdict, next_attempt_at_ms))\n",
        "        __import__('asyncio').ensure_future(\n"
        "            self._record(self._attempt(delivery, source, sent, verdict, next_attempt_at_ms))\n"
        "        )\n",
        WORKER,
    ),
    shell(
        "an exhausted delivery leaves no dead letter",
        "recorder.py",
        '                await self._bury(delivery, source, DeathReason.EXHAUSTED, f"after {delivery.attempt} attempts")\n',
        "                pass\n",
        LIVES,
    ),
    shell(
        "a retry is forwarded before its time",
        "forwarder.py",
        "return self.records[0].timestamp_ms + self.delay_ms",
        "return self.records[0].timestamp_ms + self.delay_ms // 2",
        LIVES,
    ),
)

STALE = (
    shell(
        "a late result closes its record",
        "worker.py",
        "        if window.hold is Hold.GONE:\n            return\n",
        "",
        ASSIGNMENTS,
    ),
    shell(
        "a stop commits what was lost meanwhile",
        "worker.py",
        " for each, window in windows.items() if window.hold is not Hold.GONE}",
        " for each, window in windows.items()}",
        ASSIGNMENTS,
    ),
    shell(
        "a late result is retried",
        "deliverer.py",
        "if slot.window.hold is Hold.GONE:",
        "if False:",
        WORKER,
    ),
    shell(
        "what failed in a pause is retried by who lost its partition",
        "deliverer.py",
        "            await owner_known(slot.window)",
        "            pass",
        ASSIGNMENTS,
    ),
    shell(
        "a pause is a failure of an endpoint that it had no connection to",
        "sender.py",
        "if trouble is Trouble.TIMEOUT_CONNECTING and not may_go.get()():",
        "if False:",
        ASSIGNMENTS,
    ),
    rule(
        "what waited for a partition that went starts after all",
        "share.py",
        "            if slot.window.hold is Hold.OURS:\n                return slot\n",
        "            return slot\n",
        f"{UNIT}/test_share.py",
        f"{UNIT}/test_isolation_rules.py",
    ),
    shell(
        "what had no connection before a pause is sent after it",
        "worker.py",
        "may_go.set(lambda: slot.window.hold is not Hold.GONE and self._the_reader().is_member())",
        "may_go.set(lambda: True)",
        ASSIGNMENTS,
    ),
    shell(
        "what had no connection before a pause is left open for ever",
        "worker.py",
        "        elif slot.window.hold is Hold.OURS:\n            self._offer(slot)",
        "        elif False:\n            self._offer(slot)",
        ASSIGNMENTS,
    ),
    shell(
        "who is no member sends",
        "worker.py",
        "while window.hold is Hold.OURS and not self._the_reader().is_member():",
        "while False:",
        WORKER,
    ),
    shell(
        "a view that is behind cancels",
        "in_view.py",
        "if slot.delivery.config_offset > self._view.applied:",
        "if False:",
        WORKER,
    ),
)
