"""What `hookline up` shows: steps with a spinner on a terminal, plain lines elsewhere, and one summary line in place."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.text import Text

from hookline.cli.up_rates import fitted

_STEP_COLUMNS = 12
_FACT_COLUMNS = 9  # an API key of 68 characters beside it fits into 80 columns
_INDENT = "  "


class Step:
    """One step under way. `detail` is what is said of it when it is done."""

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._said = ""
        self.spinner = Spinner("dots", self._words())
        self.detail = ""

    def say(self, text: str) -> None:
        """Show what it does now."""
        if text == self._said:
            return
        self._said = text
        self.spinner.update(text=self._words())
        if not self._console.is_terminal:
            self._console.print(Text(f"{_INDENT}{self._name}: {text}"), soft_wrap=True)

    def _words(self) -> Text:
        return Text(f"{self._name:<{_STEP_COLUMNS}}{self._said}", no_wrap=True, overflow="ellipsis")


class Screen:
    """Writes to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    @contextmanager
    def step(self, name: str, *, done: str = "") -> Iterator[Step]:
        """A step of the way: a spinner while it runs, one line when it is done; nothing more if it fails."""
        started_s = time.monotonic()
        step = Step(name, self._console)
        with self._spinning(step):
            yield step
        took = f"  {time.monotonic() - started_s:.1f} s"
        self._print(
            Text.assemble(_INDENT, ("✓ ", "green"), f"{done or name:<{_STEP_COLUMNS}}", step.detail, (took, "dim"))
        )

    def heading(self, text: str, *, beside: str) -> None:
        """The first line."""
        self._print(Text.assemble((text, "bold"), "  ", (beside, "dim")))

    def fact(self, name: str, value: str) -> None:
        """A name and its value, which can be copied whole."""
        self._print(Text.assemble(_INDENT, (f"{name:<{_FACT_COLUMNS}}", "dim"), value))

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

    def _spinning(self, step: Step) -> AbstractContextManager[object]:
        if not self._console.is_terminal:
            return nullcontext()
        shown = Padding(step.spinner, (0, 0, 0, len(_INDENT)))
        return Live(shown, console=self._console, transient=True, refresh_per_second=12.5)

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
