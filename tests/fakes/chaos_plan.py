"""Which faults a chaos run has, and in which order: drawn from a seed, so that the same run can be made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from fakes.road import ROLES


class Kind(StrEnum):
    KILL = "SIGKILL"
    TERM = "SIGTERM"
    PAUSE = "SIGSTOP"
    BROKER = "SIGKILL of the broker"
    VANISH = "receiver away"


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault to come; `process` is empty where it is none of a role's."""

    kind: Kind
    process: str = ""

    def __str__(self) -> str:
        return f"{self.kind} of {self.process}" if self.process else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. `rate_per_s` None: a third of what the machine can do, and at most 1,000."""

    seed: int
    rate_per_s: int | None
    processes: Sequence[str]
    faults: Sequence[Planned]

    def __str__(self) -> str:
        return f"seed {self.seed}, {len(self.faults)} faults, processes {' '.join(self.processes)}"


def full_plan(seed: int, *, rate_per_s: int | None = 1_000, dispatchers: int = 1, fanouts: int = 1) -> Plan:
    """20 kills and stops, each role both ways at least twice, and the other faults two or three times."""
    roles = [*ROLES, *ROLES, "dispatcher", "fanout"]
    others = [(Kind.PAUSE, role) for role in ("dispatcher", "fanout", "history")]
    others += [(Kind.BROKER, ""), (Kind.VANISH, "")] * 2
    wanted = [(kind, role) for kind in (Kind.KILL, Kind.TERM) for role in roles]
    return _plan(seed, [*wanted, *others], rate_per_s, {"dispatcher": dispatchers, "fanout": fanouts})


def short_plan(seed: int, *, rate_per_s: int | None = None, dispatchers: int = 1, fanouts: int = 1) -> Plan:
    """Each kind of fault, and each role."""
    wanted = [(kind, role) for kind in (Kind.KILL, Kind.TERM) for role in ("dispatcher", "fanout")]
    wanted += [(Kind.KILL, "history"), (Kind.TERM, "api"), (Kind.PAUSE, "dispatcher"), (Kind.BROKER, "")]
    return _plan(seed, [*wanted, (Kind.VANISH, "")], rate_per_s, {"dispatcher": dispatchers, "fanout": fanouts})


def _plan(seed: int, wanted: Sequence[tuple[Kind, str]], rate_per_s: int | None, processes_of: dict[str, int]) -> Plan:
    chance = Random(seed)  # noqa: S311 - drawn to be drawn again
    names = {role: [f"{role}-{number}" for number in range(1, processes_of.get(role, 1) + 1)] for role in ROLES}
    faults = [Planned(kind, chance.choice(names[role]) if role else "") for kind, role in wanted]
    chance.shuffle(faults)
    every = [name for role in ROLES for name in names[role]]
    return Plan(seed=seed, rate_per_s=rate_per_s, processes=every, faults=faults)
