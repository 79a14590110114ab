"""What the history store tells recovery of. Apart from the questions, which need SQLAlchemy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hookline.core.resending import Known
from hookline.runtime.history_questions import Cursor, DeliveryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPage:
    """Deliveries that failed for good, the oldest first. `walked` rows were looked at; the next page begins behind `last`.

    `last` None: there is none.
    """

    rows: Sequence[DeliveryRow]
    walked: int
    last: Cursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRow:
    """A delivery that is still to be tried, with the run and the number of the attempt that is to come.

    `run_began_ms`: when the first record of this run began.
    """

    delivery: DeliveryRow
    next_attempt: int
    run_began_ms: int


class States(Protocol):
    """What history knows of deliveries (`hookline.runtime.history_recovery.HistoryRecovery`)."""

    async def states(
        self, *, account_id: str, subscription_id: str, delivery_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        """How far these deliveries are, without those that nothing is on record of; NotYet."""
        ...
