"""What `hookline up` shows: steps with a spinner on a terminal, plain lines elsewhere, and one summary line in place."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.status import Status
from rich.text import Text

from hookline.cli.up_rates import fitted

_STEP_COLUMNS = 12
_INDENT = "  "


class Step:
    """One step under way."""

    def __init__(self, name: str, console: Console, status: Status | None) -> None:
        self._name = name
        self._console = console
        self._status = status
        self._said = ""
        self.detail = ""

    def say(self, text: str) -> None:
        """Show what it does now."""
        if text == self._said:
            return
        self._said = text
        if self._status is not None:
            self._status.update(Text(f"{self._name:<{_STEP_COLUMNS}}{text}", no_wrap=True, overflow="ellipsis"))
        else:
            self._console.print(Text(f"{self._name}: {text}"), soft_wrap=True)


class Screen:
    """Writes to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A step of the start: a spinner while it runs, one line when it is done; nothing more if it fails."""
        started_s = time.monotonic()
        status = Status(f"{name:<{_STEP_COLUMNS}}", console=self._console) if self._console.is_terminal else None
        step = Step(name, self._console, status)
        if status is None:
            yield step
        else:
            with status:
                yield step
        self._done(name, step.detail, time.monotonic() - started_s)

    def heading(self, text: str, *, beside: str) -> None:
        """The first line."""
        self._print(Text.assemble((text, "bold"), "  ", (beside, "dim")))

    def fact(self, name: str, value: str) -> None:
        """A name and its value, which can be copied whole."""
        self._print(Text.assemble(_INDENT, (f"{name:<{_STEP_COLUMNS}}", "dim"), value))

    def blank(self) -> None:
        """An empty line."""
        self._print(Text())

    def news(self, text: str) -> None:
        """Something good that a person waits for."""
        self._print(Text.assemble(_INDENT, ("✓ ", "green"), (text, "bold")))

    def trouble(self, text: str) -> None:
        """Something that went wrong and is being dealt with."""
        self._print(Text.assemble(_INDENT, ("! ", "yellow"), text))

    def note(self, text: str) -> None:
        """A line by the way."""
        self._print(Text.assemble(_INDENT, (text, "dim")))

    def summary(self, words: Sequence[str]) -> None:
        """The line of rates: in place on a terminal, a line of its own elsewhere."""
        columns = self._console.width - len(_INDENT)
        line = Text.assemble(_INDENT, (fitted(words, columns=columns), "cyan"))
        line.no_wrap, line.overflow = True, "ellipsis"
        if not self._console.is_terminal:
            self._print(line)
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(line, refresh=True)

    def end_summary(self) -> None:
        """Take the line of rates away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _done(self, name: str, detail: str, seconds: float) -> None:
        took = f"  {seconds:.1f} s"
        self._print(Text.assemble(_INDENT, ("✓ ", "green"), f"{name:<{_STEP_COLUMNS}}", detail, (took, "dim")))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
