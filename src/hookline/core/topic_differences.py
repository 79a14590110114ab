"""What of a topic is not as specified, and what of that is corrected (docs/decisions/0025)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from hookline.schemas.errors import ConfigError
from hookline.schemas.topics import Topic, waiting_ms

PARTITIONS = "partitions"
RETENTION = "retention.ms"
_FOR_EVER = "-1"


class Partitions(StrEnum):
    """What is done where a topic has fewer partitions than its size says: growing moves keys, and is for ever."""

    REFUSE = "refuse"  # and change nothing: most likely the size is not that of the first time
    KEEP = "keep"
    GROW = "grow"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as specified. `found` None: the topic does not exist. `left`: `apply` leaves it as it is."""

    topic: str
    what: str
    found: str | None
    wanted: str
    left: bool = False

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.topic}: does not exist; wanted {self.what} {self.wanted}"
        left = "; `apply` leaves it" if self.left else ""
        return f"{self.topic}: {self.what} is {self.found}, wanted {self.wanted}{left}"


def compared(topic: Topic, *, partitions: int, wanted: int, config: Mapping[str, str]) -> Iterator[Difference]:
    """What of a topic that exists differs: it has `partitions`, and `config` by Kafka's names."""
    if partitions < wanted:
        yield Difference(topic.name, PARTITIONS, str(partitions), str(wanted))
    for name, value in topic.config().items():
        found = config.get(name, "not set")
        if found != value:
            yield Difference(topic.name, name, found, value, left=_is_kept_longer(name, found, value))


def as_told(differences: Iterable[Difference], partitions: Partitions) -> Sequence[Difference]:
    """The differences as `as_shown` has them; ConfigError if a topic would have to grow and that is to be refused."""
    return [_as_told(each, partitions) for each in as_shown(differences, partitions)]


def as_shown(differences: Iterable[Difference], partitions: Partitions) -> Sequence[Difference]:
    """The differences, with those of partitions left if they are to be kept."""
    keeps = partitions is Partitions.KEEP
    return [replace(each, left=True) if keeps and _grows(each) else each for each in differences]


def is_harmful(difference: Difference) -> bool:
    """Whether a tier's topic that exists would lose waiting records for it, or send them early."""
    if difference.what == RETENTION:
        return _kept_ms(difference.found or "0") < waiting_ms(difference.topic)
    return difference.what == "message.timestamp.type"


def _as_told(difference: Difference, partitions: Partitions) -> Difference:
    if partitions is not Partitions.REFUSE or not _grows(difference):
        return difference
    raise ConfigError(
        f"{difference}; growing moves keys to other partitions and can't be undone, so nothing was changed: "
        "say the --size of the first time, or --partitions keep, or --partitions grow"
    )


def _grows(difference: Difference) -> bool:
    """Whether a topic that exists has to grow for it."""
    return difference.what == PARTITIONS and difference.found is not None


def _is_kept_longer(name: str, found: str, wanted: str) -> bool:
    """Whether the topic keeps its records for longer than specified: Kafka would delete some if that were corrected."""
    return name == RETENTION and _kept_ms(found) > _kept_ms(wanted)


def _kept_ms(retention: str) -> float:
    return inf if retention == _FOR_EVER else int(retention)
