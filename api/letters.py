"""Dead letters, for administrators: `/dead-letters`, one of them, and sending them again."""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from hookline.api.answers import answer, timestamp
from hookline.api.auth import Caller
from hookline.api.bodies import read_body, read_query
from hookline.api.configuration import AGAIN, Configuration, Deed, confirmed
from hookline.api.letter_bodies import LetterList, LetterQuery, LetterShown, Redrive, Redriven
from hookline.api.ports import Parts
from hookline.api.problems import Refused, no_cursor, no_letter, not_redrivable, unavailable
from hookline.api.requests import without_nulls
from hookline.core.letters import (
    Letter,
    Page,
    holds_delivery,
    is_source_record,
    left_after,
    needs_reviving,
    revived,
    without_older,
)
from hookline.core.resending import Known
from hookline.runtime.changes import Write
from hookline.schemas.errors import ContractError, NotYet
from hookline.schemas.records import DeadLetter, Delivery, Place

_AGAIN_S = 5
_NO_STATES = (
    "The history store does not answer now, or has not yet all that is on record, and nobody else knows what was delivered since. "
    "Nothing was sent."
)
_REDRIVEN_MAX = 1_000  # in one request; the answer says that there may be more


class Letters:
    """The handlers."""

    def __init__(self, parts: Parts, configuration: Configuration, *, answer_s: float) -> None:
        self._letters = parts.letters
        self._states = parts.states
        self._reach = parts.reach
        self._view = parts.view
        self._writer = parts.writer
        self._codec = parts.codec
        self._topics = parts.topics
        self._clock = parts.clock
        self._configuration = configuration
        self._answer_s = answer_s

    async def listing(self, request: web.Request) -> web.Response:
        """`GET /dead-letters`: the newest first."""
        asked = read_query(request, LetterQuery)
        before = None if asked.cursor is None else _read_cursor(asked.cursor, what="query")
        wanted = partial(_is_wanted, reason=asked.reason, account_id=asked.account_id)
        try:
            page = await self._letters.page(before=before, limit=asked.limit, is_wanted=wanted)
        except NotYet as error:
            raise _away() from error
        more = without_nulls({"next_cursor": _cursor(page.left) if page.left else None})
        return answer(LetterList(letters=tuple(self._shown(each) for each in page.letters), **more))

    async def read(self, request: web.Request) -> web.Response:
        """`GET /dead-letters/{letter_id}`: with its bytes."""
        return answer(self._shown(await self._named(request), with_payload=True))

    async def redrive(self, request: web.Request) -> web.Response:
        """`POST /dead-letters/{letter_id}/redrive`: whatever became of it since."""
        letter = await self._named(request)
        caller = request[AGAIN]()  # the log can take its time
        write = self._write_of(letter)
        if write is None:
            raise not_redrivable()
        await confirmed(self._writer, write, answer_s=self._answer_s)
        await self._put_on_record(request, caller, letter)
        return answer(Redriven(redriven=1, left_out=0), status=202)

    async def redrive_many(self, request: web.Request) -> web.Response:
        """`POST /redrives`: all that the filter lets through and that is still to be delivered, up to a bound."""
        page = await self._wanted(await read_body(request, Redrive))
        needed = await self._needed(page.letters)
        caller = request[AGAIN]()  # a body, the log and the store can take their time
        redriven = 0
        for number, letter in enumerate(page.letters):
            write = self._write_of(letter) if letter.place in needed else None
            if write is None:
                continue
            done = number
            try:
                await confirmed(self._writer, write, answer_s=self._answer_s)
                # Whatever fails from here on, this letter is done: if the next page began with it, it would be sent twice.
                redriven, done = redriven + 1, number + 1
                await self._put_on_record(request, caller, letter)
            except Refused:
                if not redriven:
                    raise
                return _redriven(redriven, done - redriven, left_after(page, done))
        return _redriven(redriven, len(page.letters) - redriven, page.left)

    async def _wanted(self, wanted: Redrive) -> Page:
        is_wanted = partial(_is_wanted, reason=wanted.reason, account_id=wanted.account_id)
        before = None if wanted.cursor is None else _read_cursor(wanted.cursor, what="body")
        try:
            return await self._letters.whole_page(before=before, limit=_REDRIVEN_MAX, is_wanted=is_wanted)
        except NotYet as error:
            raise _away() from error

    async def _needed(self, letters: Sequence[Letter]) -> Collection[Place]:
        """Where those lie that are sent again, if their webhooks are there by then."""
        newest = without_older(letters)
        known = await self._known(newest)
        return {each.place for each in newest if self._is_needed(each, known)}

    async def _known(self, letters: Sequence[Letter]) -> Mapping[str, Known]:
        """What history knows of their deliveries; Refused with 503 if it does not answer, or has not all that is on record."""
        asked, known = dict[tuple[str, str], list[str]](), dict[str, Known]()
        for record in (each.record for each in letters):
            if record is not None and record.account_id and record.subscription_id and record.delivery_id:
                asked.setdefault((record.account_id, record.subscription_id), []).append(record.delivery_id)
        if not asked:
            return known
        try:
            has_it_still = await self._reach.caught_up()
            for (account_id, subscription_id), ids in asked.items():
                known |= await self._states.states(
                    account_id=account_id, subscription_id=subscription_id, delivery_ids=ids
                )
            await has_it_still()
        except NotYet as error:
            raise unavailable(_NO_STATES, retry_after_s=_AGAIN_S) from error
        return known

    def _is_needed(self, letter: Letter, known: Mapping[str, Known]) -> bool:
        record = letter.record
        if record is None or record.delivery_id is None:
            return True
        of, given_up = self._view.subscription(record.subscription_id or ""), self._delivery(record)
        if of is None or given_up is None:
            return False
        found, is_cancelled = known.get(record.delivery_id), self._view.is_cancelled
        return needs_reviving(found, of, run=given_up.run, at_ms=record.at_ms, is_cancelled=is_cancelled)

    async def _named(self, request: web.Request) -> Letter:
        place = _place(request.match_info["letter_id"])
        if place is None:
            raise no_letter()
        try:
            found = await self._letters.at(place)
        except NotYet as error:
            raise _away() from error
        if found is None:
            raise no_letter()
        return found

    async def _put_on_record(self, request: web.Request, caller: Caller, letter: Letter) -> None:
        account_id = (letter.record.account_id if letter.record else None) or ""
        deed = Deed(operation="dead-letter.redrive", subject=_id(letter.place), account_id=account_id)
        audit = self._configuration.audit(request, caller, deed)
        await confirmed(self._writer, audit, answer_s=self._answer_s)

    def _write_of(self, letter: Letter) -> Write | None:
        """What sends it again; None if too little of it was kept, or nobody is there any more who would get it."""
        record = letter.record
        if record is None:
            return None
        if is_source_record(record):
            return self._as_it_came(record)
        given_up = self._delivery(record)
        if given_up is None or not self._is_there(given_up):
            return None
        delivery = revived(given_up, config_offset=self._view.applied, now_ms=self._clock.now_ms())
        key = delivery.subscription_id.encode()
        return Write(topic=self._topics.deliveries, key=key, value=self._codec.encode(delivery))

    def _as_it_came(self, record: DeadLetter) -> Write:
        """To the topic that it came from; a delivery that can be read by now to where its subscription's others lie."""
        try:
            key = self._codec.decode(record.payload, Delivery).subscription_id.encode()
        except ContractError:
            key = b""
        return Write(topic=record.topic, key=key, value=record.payload)

    def _delivery(self, record: DeadLetter) -> Delivery | None:
        """The delivery that was given up; None if its bytes were not kept, or are none."""
        try:
            return self._codec.decode(record.payload, Delivery) if holds_delivery(record) else None
        except ContractError:
            return None

    def _is_there(self, delivery: Delivery) -> bool:
        """Whether its subscription still is: what was erased or deleted must not be written anew."""
        of = self._view.subscription(delivery.subscription_id)
        return of is not None and of.account_id == delivery.account_id

    def _shown(self, letter: Letter, *, with_payload: bool = False) -> LetterShown:
        record = letter.record
        if record is None:
            shown: dict[str, Any] = {"at": timestamp(letter.at_ms), "detail": _NO_RECORD}
        else:
            shown = {"at": timestamp(record.at_ms), **_of_record(record)}
        if with_payload and record is not None and record.payload is not None:
            delivery = self._delivery(record)
            payload = record.payload if delivery is None else delivery.body
            shown["payload"] = base64.b64encode(payload).decode()
        return LetterShown(id=_id(letter.place), **shown)


def _redriven(redriven: int, left_out: int, left: Mapping[int, int]) -> web.Response:
    more = without_nulls({"next_cursor": _cursor(left) if left else None})
    return answer(Redriven(redriven=redriven, left_out=left_out, **more), status=202)


def _is_wanted(letter: Letter, *, reason: str | None, account_id: str | None) -> bool:
    if letter.record is None:
        return reason is None and account_id is None
    is_of_account = account_id is None or letter.record.account_id == account_id
    return is_of_account and (reason is None or letter.record.reason == reason)


_NO_RECORD = "This release cannot read the letter itself."


def _of_record(record: DeadLetter) -> Mapping[str, Any]:
    return without_nulls(
        {
            "reason": record.reason.value,
            "detail": record.detail,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "payload_bytes": record.payload_bytes,
            "delivery_id": record.delivery_id,
            "account_id": record.account_id,
            "webhook_id": record.subscription_id,
            "event_id": record.event_id,
            "event": record.event_type,
            "attempts": record.attempts,
        }
    )


def _id(place: Place) -> str:
    return f"{place.partition}-{place.offset}"


def _place(letter_id: str) -> Place | None:
    partition, dash, offset = letter_id.partition("-")
    is_one = dash and all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (partition, offset))
    return Place(partition=int(partition), offset=int(offset)) if is_one else None


def _cursor(left: Mapping[int, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(sorted(left.items())).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, *, what: str) -> Mapping[int, int]:
    """By partition, where the page begins; Refused if it is none."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        pairs = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        pairs = None
    is_number: Callable[[object], bool] = lambda each: type(each) is int and 0 <= each < 2**63  # noqa: E731
    if isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in pairs
    ):
        return dict(pairs)
    raise no_cursor(what=what)


def _away() -> Exception:
    return unavailable("Kafka does not show its dead letters now. Nothing was changed.", retry_after_s=_AGAIN_S)
