"""Which accounts are erased, as `webhooks.accounts` says: all that history must know of the configuration."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from hookline.runtime.log import Commit, KafkaRecord, Position, TopicPartition
from hookline.schemas.codec import Codec
from hookline.schemas.errors import ContractError
from hookline.schemas.records import Account

_log = logging.getLogger("hookline.history")


class Erased:
    """A `Handler` of `webhooks.accounts`, read from its start. An account that is erased stays so, whatever comes later."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._accounts: dict[str, int] = {}
        self._ready = asyncio.Event()
        self._came = asyncio.Event()

    def accounts(self) -> Mapping[str, int]:
        """By account, when it was erased, as far as it is known now."""
        return dict(self._accounts)

    async def wait_ready(self) -> None:
        """Return once everything has been read that was there at the start."""
        await self._ready.wait()

    async def wait_for_another(self, timeout_s: float) -> None:
        """Return when another account was erased since the last call, or after so many seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError:
            return
        self._came.clear()

    def complaint(self) -> str | None:
        """What readiness has to say."""
        return None if self._ready.is_set() else "which accounts are erased has not been read to its end yet"

    # -- Handler ------------------------------------------------------------------------------------------------------

    def assigned(self, _positions: Sequence[Position]) -> None:
        """Nothing to prepare: reading is from the start."""

    def received(self, records: Sequence[KafkaRecord]) -> None:
        for record in records:
            account = None if record.value is None else self._account(record, record.value)
            if account is not None and account.erased_at_ms is not None and account.account_id not in self._accounts:
                self._accounts[account.account_id] = account.erased_at_ms
                self._came.set()

    def ended(self, _partition: TopicPartition, _offset: int) -> None:
        """The end was reached, as it was then."""
        self._ready.set()

    async def revoking(self, _partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        return {}  # without a group nothing is committed

    def lost(self, _partitions: Sequence[TopicPartition]) -> None:
        """Without a group nothing is ever lost."""

    def _account(self, record: KafkaRecord, value: bytes) -> Account | None:
        try:
            found = self._codec.decode_any(value)
        except ContractError as error:
            # Skipped, as every view does: one bad record must not stop history.
            extra = {"topic": record.topic, "offset": record.offset, "error": str(error)}
            _log.error("account.record_unreadable", extra=extra)
            return None
        return found if isinstance(found, Account) else None
