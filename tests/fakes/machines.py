"""Worlds in which random steps are taken, with what must hold after each: driven by hypothesis, or a million steps long.

A machine knows its own rules. Whoever drives it only picks which step comes next, and a number out of which the step
draws all that it has to choose: so a run is its list of (step, number), and can be replayed.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, ClassVar, Protocol, TypeVar, cast
from unittest import TestCase

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

T = TypeVar("T")
_EXAMPLES, _STEPS = 500, 40
_PICKS = 1 << 48  # enough for the half dozen choices of one step


class Picks:
    """Choices made out of one number. 0 picks the first of everything, so that failures shrink to simple ones."""

    def __init__(self, number: int) -> None:
        self._number = number

    def below(self, count: int) -> int:
        self._number, picked = divmod(self._number, count)
        return picked

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]


class Machine(Protocol):
    """One world. A step says whether it could do anything; `check` raises AssertionError where something does not hold."""

    STEPS: ClassVar[Mapping[str, int]]  # name of the method -> how often it is taken, compared with the others

    def __init__(self, picks: Picks) -> None:
        """It draws its configuration."""

    def check(self) -> None: ...

    def settle(self) -> None:
        """Let everything come to its end, and check what must hold then."""
        ...


def take(machine: Machine, step: str, number: int) -> bool:
    """Take one step and check all; whether the step found anything to do."""
    done: bool = getattr(machine, step)(Picks(number))
    machine.check()
    return done


def run(kind: type[Machine], *, seed: int, steps: int, trace: bool = False) -> int:
    """One random run, settled at its end; how many of its steps found something to do."""
    random = Random(seed)  # noqa: S311 - a seed is what makes it replayable
    names, weights = list(kind.STEPS), list(kind.STEPS.values())
    machine, done = kind(Picks(random.randrange(_PICKS))), 0
    for name in random.choices(names, weights, k=steps):
        number = random.randrange(_PICKS)
        if trace:
            print(f"{name}({number})")
        done += take(machine, name, number)
    machine.settle()
    return done


class _Driven(RuleBasedStateMachine):
    """What all machines share under hypothesis."""

    machine: Machine | None = None

    def teardown(self) -> None:
        if self.machine is not None:
            self.machine.settle()

    def take(self, step: str, number: int) -> None:
        machine, self.machine = self.machine, None  # one that failed is not settled
        assert machine is not None
        take(machine, step, number)
        self.machine = machine


def stateful(kind: type[Machine]) -> type[TestCase]:
    """The machine as hypothesis drives it, with a rule for each step: a test case for pytest."""

    def begin(self: _Driven, number: int) -> None:
        self.machine = kind(Picks(number))

    numbers = st.integers(0, _PICKS - 1)
    body: dict[str, object] = {"begin": initialize(number=numbers)(begin)}
    body |= {name: rule(number=numbers)(_rule(name)) for name in kind.STEPS}
    driven: Any = type(kind.__name__, (_Driven,), body)
    case: Any = driven.TestCase
    case.settings = settings(max_examples=_EXAMPLES, stateful_step_count=_STEPS, deadline=None, print_blob=True)
    return cast("type[TestCase]", case)


def _rule(name: str) -> Callable[[_Driven, int], None]:
    def step(self: _Driven, number: int) -> None:
        self.take(name, number)

    step.__name__ = name
    return step
