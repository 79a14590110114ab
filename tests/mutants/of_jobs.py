"""Wrong lines in what jobs write, when their progress is put on record, and which of them run."""

from mutants.mutant import CONTRACT, PROPERTY, Mutant, rule

PROGRESS = f"{PROPERTY}/test_job_progress.py"
RUN = f"{CONTRACT}/test_job_run.py"
RECOVER = f"{CONTRACT}/test_recover_steps.py"
TURNS = f"{CONTRACT}/test_replay_turns.py"
GOALS = f"{CONTRACT}/test_replay_goals.py"
SETTLING = f"{CONTRACT}/test_settling.py"
ROOM = "tests/unit/test_replay_room.py"


def job(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"processors/{file}", old, new, tests)


JOBS = (
    job(
        "a job's progress is saved before what it counts is written",
        "job_run.py",
        "            await self._written(step)\n            self._job = step.after\n            await self._save_when_due()\n",
        "            self._job = step.after\n            await self._save_when_due()\n            await self._written(step)\n",
        PROGRESS,
    ),
    job(
        "a job's failed write counts as written",
        "job_run.py",
        "                    await self._written_again(outgoing)\n",
        "                    pass\n",
        PROGRESS,
    ),
    job(
        "a job's position is behind the next event",
        "job_steps.py",
        "stretch, picked.offset + 1)",
        "stretch, picked.offset + 3)",
        PROGRESS,
    ),
    job(
        "what a job could not read is not told",
        "job_steps.py",
        "if records and sentence not in known]",
        "if records and sentence is REMOVED]",
        RUN,
    ),
    job(
        "a job's stretch is done before its last deliveries",
        "job_steps.py",
        "        yield Step(writes, _at(job, stretch, stretch.position))\n",
        "        yield Step((), _at(job, stretch, stretch.position))\n",
        PROGRESS,
    ),
    job(
        "a recovery sends again what it has sent before it was killed",
        "job_list_steps.py",
        " and row.job_id != job.job_id\n",
        "\n",
        RECOVER,
    ),
    job(
        "a recovery of what was asked for later is not the newest run",
        "job_list_steps.py",
        "run=next_run(job.run, last=row.run),",
        "run=job.run,",
        RECOVER,
    ),
    job(
        "a job looks not at the history store",
        "job_steps.py",
        "        if not ids or job.everything:\n",
        "        if ids or job.everything:\n",
        RUN,
    ),
    job(
        "a job writes while it is in doubt whose it is",
        "job_run.py",
        "        if not self._ground.is_member():\n            self.awaits",
        "        if False:\n            self.awaits",
        RUN,
    ),
    job(
        "a job of an erased account goes on",
        "job_view.py",
        "    return is_another or view.marker(job.account_id) is not None\n",
        "    return is_another\n",
        RUN,
    ),
    job(
        "a job heeds no pause of its subscription",
        "job_view.py",
        "    return is_paused or view.disabling(job.subscription_id) is not None\n",
        "    return False\n",
        RUN,
    ),
    job(
        "a job that gets ready is put back when its endpoint may not be asked any more",
        "job_run.py",
        "is_unasked if self._has_sent else is_shut_out",
        "is_unasked",
        RUN,
    ),
    job(
        "a job goes on for longer than it may ask an endpoint that is away",
        "job_run.py",
        "is_unasked if self._has_sent else is_shut_out",
        "is_shut_out",
        RUN,
    ),
    job(
        "whoever lost the jobs goes on",
        "replay.py",
        "            each.task.cancel()\n",
        "            pass\n",
        TURNS,
    ),
    job(
        "two jobs of a subscription run at once",
        "replay.py",
        "        if is_busy or asked is None or",
        "        if asked is None or",
        TURNS,
    ),
    job(
        "jobs do not go by their accounts",
        "replay.py",
        "        return of_accounts[account_id], self",
        "        return 0, self",
        TURNS,
    ),
    job(
        "who gave a place up takes it back",
        "replay.py",
        "self._had_place_s.get(account_id, -inf), job",
        "0.0, job",
        TURNS,
    ),
    job(
        "eight accounts hold up a ninth",
        "replay.py",
        "if of_accounts[each.run.job.account_id] >= enough]",
        "if of_accounts[each.run.job.account_id] > enough]",
        TURNS,
    ),
    job(
        "a replay that gave way has later goals",
        "replay.py",
        "        return goals if job_id == job.job_id else None\n",
        "        return None\n",
        GOALS,
    ),
    job(
        "a replay has its old goals although another process had the jobs meanwhile",
        "replay.py",
        "        self._goals.clear()  # another process may have sent something since\n",
        "",
        GOALS,
    ),
    job(
        "a replay has the goals of another one of its webhook",
        "replay.py",
        "        return goals if job_id == job.job_id else None\n",
        "        return goals\n",
        GOALS,
    ),
    job(
        "a replay that was paused has its old goals",
        "replay.py",
        "        self._forget_goals(open_jobs)\n",
        "",
        GOALS,
    ),
    job(
        "who only had to be ended costs its account a turn",
        "replay.py",
        "        self._running.pop(job.job_id, None)\n",
        "        self._running.pop(job.job_id, None)\n"
        "        _note(self._had_place_s, job.account_id, self._ground.clock.monotonic_s(), most=_REMEMBERED_MAX)\n",
        TURNS,
    ),
    job(
        "the lanes of a replay that gave way have later ends",
        "settling.py",
        "            if partition not in lanes:\n",
        "            if True:\n",
        GOALS,
    ),
    job(
        "history has to have more whenever a replay begins again",
        "job_work.py",
        "        if goals.recorded is None:\n",
        "        if True:\n",
        GOALS,
    ),
    job(
        "a job that cancels retries goes by the clock of the API alone",
        "job_list_steps.py",
        "if surely_called_off(of, run_began_ms=each.run_began_ms)]",
        "if each.run_began_ms < of.cancelled_before_ms]",
        RECOVER,
    ),
    rule(
        "what may be newer than the cancelling is put on record as cancelled",
        "cancelling.py",
        "run_began_ms < subscription.cancelled_before_ms - _UNHEARD_MS",
        "run_began_ms < subscription.cancelled_before_ms",
        "tests/unit/test_cancelling.py",
    ),
    job(
        "nobody gives a place up",
        "replay.py",
        "            longest.run.give_way()\n",
        "            pass\n",
        TURNS,
    ),
    job(
        "a cancelled job is forgotten while what it sent is still tried",
        "job_keeping.py",
        "    return asked.is_cancelled and asked.job.sent > 0 and",
        "    return False and",
        "tests/unit/test_job_keeping.py",
    ),
    rule(
        "a job that came to its end while it was cancelled is not cancelled",
        "jobs.py",
        "JobState.CANCELLED or self.wanted is Wanted.CANCEL\n",
        "JobState.CANCELLED\n",
        "tests/unit/test_jobs.py",
    ),
    rule(
        "jobs that are over stay among the open ones",
        "jobs.py",
        "            _drop(self._open, job)\n",
        "            pass\n",
        "tests/unit/test_jobs.py",
    ),
    job(
        "jobs begin again while they are given up",
        "replay.py",
        "        self._takes.clear()\n        for run in self.running():\n",
        "        for run in self.running():\n",
        TURNS,
    ),
    job(
        "a replay does not wait for the dispatchers",
        "settling.py",
        "        for group, topic in ((self._dispatchers, topics.deliveries), (self._replays, topics.replays)):\n",
        "        for group, topic in ((self._replays, topics.replays),):\n",
        SETTLING,
    ),
    job(
        "a replay believes a store that was emptied meanwhile",
        "job_steps.py",
        "        await self._recorded()  # what was emptied meanwhile answered that nothing was ever sent\n",
        "",
        RUN,
    ),
    rule(
        "what was delivered is replayed because a later run was cancelled",
        "resending.py",
        "    if known.is_delivered:\n",
        "    if known.state is State.SUCCEEDED:\n",
        "tests/unit/test_resending.py",
    ),
    rule(
        "what a cancelled job left on tiers is not replayed",
        "resending.py",
        "        return is_of_cancelled or is_of_deleted",
        "        return is_of_deleted",
        "tests/unit/test_resending.py",
    ),
    rule(
        "what waited for a webhook that was made anew is not replayed",
        "resending.py",
        "        return is_of_cancelled or is_of_deleted or ",
        "        return is_of_cancelled or ",
        "tests/unit/test_resending.py",
    ),
    rule(
        "what fails just after retries were cancelled is not replayed",
        "cancelling.py",
        "recorded_at_ms < before_ms + _UNHEARD_MS",
        "recorded_at_ms < before_ms",
        "tests/unit/test_resending.py",
    ),
    job(
        "a job runs ahead of the dispatchers without a bound",
        "replay_room.py",
        "        return self.ahead + count <= self._ahead_max\n",
        "        return True\n",
        ROOM,
    ),
    rule(
        "a replay picks what is another account's",
        "sieve.py",
        "        return event if event.account_id == self._account_id else None\n",
        "        return event\n",
        "tests/unit/test_sieve.py",
    ),
    rule(
        "a job is faster than its rate",
        "metering.py",
        "        self._free_s = free_s + count / rate\n",
        "        self._free_s = free_s + count / (2 * rate)\n",
        "tests/unit/test_metering.py",
    ),
)
