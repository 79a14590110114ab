"""What a batch of records changes in the history store, given what is there: rows to add, to replace and to remove. No I/O."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hookline.core.progress import Progress, Step, is_request, joined, progress, step
from hookline.runtime.history_rows import Row, attempt_row, counts_of, delivery_row, kinds_of
from hookline.runtime.history_tables import DAY_MS
from hookline.schemas.records import Attempt

AttemptKey = tuple[str, bool, int, str]


@dataclass(slots=True, kw_only=True)
class Stored:
    """What the store holds of the deliveries in a batch.

    `times` are where rows of a delivery are said to lie, `progress` is theirs that were found. `attempts` are the keys of
    attempts that are there, asked for only when a delivery's own row did not tell.
    """

    times: Mapping[str, Sequence[int]] = field(default_factory=dict)
    progress: Mapping[str, Progress] = field(default_factory=dict)
    attempts: Collection[AttemptKey] = ()


@dataclass(slots=True, kw_only=True)
class Plan:
    """Rows by what is done with them, each list in the order of its keys.

    `subscriptions` and `kinds` are keys that must be there, with the day of their newest row.
    """

    attempts: Sequence[Row]
    counts: Sequence[Row]
    new: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    moved_from: list[Row] = field(default_factory=list)
    new_times: list[Row] = field(default_factory=list)
    old_times: list[Row] = field(default_factory=list)
    subscriptions: dict[Row, int] = field(default_factory=dict)
    kinds: dict[Row, int] = field(default_factory=dict)


def distinct(attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """The attempts without those that came twice."""
    kept: dict[tuple[str, Step], Attempt] = {}
    for each in attempts:
        kept.setdefault((each.delivery_id, step(each)), each)
    return list(kept.values())


def planned(attempts: Sequence[Attempt], stored: Stored) -> Plan:
    """What these distinct attempts change. One that is there already changes nothing, and is not counted again."""
    unknown = [each for each in attempts if not _is_known(each, stored)]
    added = [each for each in unknown if attempt_key(each) not in stored.attempts] if stored.attempts else unknown
    together: dict[str, tuple[Attempt, Progress]] = {}
    for each in unknown:
        before = together.get(each.delivery_id)
        alone = progress(each)
        together[each.delivery_id] = (each, alone if before is None else joined(before[1], alone))
    plan = Plan(attempts=_sorted([attempt_row(each) for each in added], 4), counts=counts_of(added))
    for delivery_id, (any_of_it, so_far) in together.items():
        _place(plan, any_of_it, so_far, stored.progress.get(delivery_id), stored.times.get(delivery_id, ()))
    plan.new, plan.changed = _sorted(plan.new, 3), _sorted(plan.changed, 3)
    plan.new_times.sort()
    plan.subscriptions = _last_days(((each.account_id, each.subscription_id), each.started_at_ms) for each in added)
    plan.kinds = _last_days(kinds_of(plan.attempts, [*plan.new, *plan.changed]))
    return plan


def _is_known(attempt: Attempt, stored: Stored) -> bool:
    before = stored.progress.get(attempt.delivery_id)
    return before is not None and step(attempt) in before.steps


def _place(plan: Plan, attempt: Attempt, so_far: Progress, before: Progress | None, times: Sequence[int]) -> None:
    """Say where the delivery's row goes. One whose earliest record has come late moves."""
    after = so_far if before is None else joined(before, so_far)
    row, at_ms = delivery_row(attempt, after), after.first_at_ms
    if before is not None and before.first_at_ms == at_ms:
        plan.changed.append(row)
        return
    if before is not None:
        plan.moved_from.append((attempt.subscription_id, before.first_at_ms, attempt.delivery_id))
    plan.new.append(row)
    if at_ms not in times:
        plan.new_times.append((attempt.delivery_id, at_ms))
    plan.old_times += [(attempt.delivery_id, each) for each in times if each != at_ms]


def _last_days(times: Iterable[tuple[Row, int]]) -> dict[Row, int]:
    found: dict[Row, int] = {}
    for key, at_ms in times:
        found[key] = max(at_ms, found.get(key, 0))
    return {key: at_ms // DAY_MS * DAY_MS for key, at_ms in found.items()}


def attempt_key(attempt: Attempt) -> AttemptKey:
    """The key of an attempt's row."""
    return attempt.subscription_id, is_request(attempt), attempt.started_at_ms, attempt.attempt_id


def _sorted(rows: Sequence[Row], keys: int) -> list[Row]:
    return sorted(rows, key=lambda row: row[:keys])
