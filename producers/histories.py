"""Believable histories: users sign up, order, pay or fail to pay, cancel, leave. The same seed tells the same ones.

No I/O and no clock here: a fact gets its time when it is published.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from random import Random

_FIRST = ("ada", "bela", "chidi", "dara", "emil", "fatou", "gita", "hugo", "ines", "jonas", "kenji", "lucia", "marta")
_LAST = ("abebe", "berg", "costa", "diaz", "eriksen", "fischer", "garcia", "haddad", "ito", "jansen", "kowalski")
_MAIL = ("example.com", "example.org", "example.net")  # RFC 2606: nobody's
_GOODS: tuple[tuple[str, str, str], ...] = (
    ("item_101", "Notebook, dotted", "6.50"),
    ("item_102", "Fountain pen", "24.90"),
    ("item_103", "Desk lamp", "49.99"),
    ("item_104", "Wireless keyboard", "79.00"),
    ("item_105", "Mechanical pencil", "3.75"),
    ("item_106", "Office chair", "189.00"),
    ("item_107", "Coffee beans, 1 kg", "18.20"),
    ("item_108", "Water bottle", "12.00"),
    ("item_109", "Backpack", "64.95"),
    ("item_110", "Headphones", "129.99"),
)
_CURRENCIES = ("USD", "EUR", "GBP")
_DECLINES: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    "credit_card": (
        ("insufficient_funds", "Your card has insufficient funds."),
        ("card_expired", "Your card has expired."),
        ("card_declined", None),
    ),
    "bank_transfer": (("account_closed", "The account is closed."), ("limit_exceeded", None)),
    "paypal": (("authorization_expired", "The authorization has expired."),),
}
# Of all orders, tries to pay, and failed tries. Nobody's figures: a failure should be seen within a minute of watching.
_CHANGES_MIND, _FAILS_TO_PAY, _GIVES_UP = 0.1, 0.25, 0.4
_LIVES_MAX = 25  # users that are busy at a time, so that their events mix


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happens: an event whose time is not known yet. `time_field` is where data will say it."""

    type: str
    time_field: str
    data: Mapping[str, object]

    def data_at(self, at: datetime) -> Mapping[str, object]:
        """The event's data, had it happened at `at`."""
        return {**self.data, self.time_field: at}


def facts(random: Random) -> Iterator[Fact]:
    """What happens, without end: the lives of many users, mixed, each in its own order."""
    lives: list[Iterator[Fact]] = []
    while True:
        if not lives or (len(lives) < _LIVES_MAX and random.random() < 0.3):
            lives.append(_life(random))
        life = random.choice(lives)
        fact = next(life, None)
        if fact is None:
            lives.remove(life)
        else:
            yield fact


def _life(random: Random) -> Iterator[Fact]:
    user = _new_user(random)
    yield Fact("user.created", "created_at", user)
    for _ in range(random.randint(1, 4)):
        if random.random() < 0.3:
            user = _changed_user(random, user)
            yield Fact("user.updated", "updated_at", {**user, "changes": ["email"]})
        yield from _order(random, user_id=str(user["id"]))
    if random.random() < 0.4:
        yield Fact("user.deleted", "deleted_at", {"id": user["id"], "username": user["username"]})


def _new_user(random: Random) -> Mapping[str, object]:
    username = f"{random.choice(_FIRST)}_{random.choice(_LAST)}{random.randint(1, 99)}"
    return {
        "id": _id(random, "user"),
        "username": username,
        "email": f"{username}@{random.choice(_MAIL)}",
        "status": "active",
    }


def _changed_user(random: Random, user: Mapping[str, object]) -> Mapping[str, object]:
    return {**user, "email": f"{user['username']}+{random.randint(100, 999)}@{random.choice(_MAIL)}"}


def _order(random: Random, *, user_id: str) -> Iterator[Fact]:
    bought = [_Bought(*good, random.randint(1, 3)) for good in random.sample(_GOODS, random.randint(1, 4))]
    order = {"id": _id(random, "order"), "user_id": user_id}
    price = _Price(sum((each.cost() for each in bought), Decimal(0)), random.choice(_CURRENCIES))
    items = [each.item() for each in bought]
    yield Fact("order.created", "created_at", {**order, "status": "pending", **price.fields("total"), "items": items})
    if random.random() < _CHANGES_MIND:
        yield _cancelled(order, "customer_request")
        return
    is_paid = yield from _payments(random, order_id=order["id"], price=price)
    if is_paid:
        yield Fact("order.completed", "completed_at", {**order, "status": "completed", **price.fields("total")})
    else:
        yield _cancelled(order, "payment_failed")


def _cancelled(order: Mapping[str, object], reason: str) -> Fact:
    return Fact("order.cancelled", "cancelled_at", {**order, "status": "cancelled", "reason": reason})


def _payments(random: Random, *, order_id: str, price: "_Price") -> Generator[Fact, None, bool]:
    """Up to three tries to pay; returns whether one succeeded."""
    for _ in range(3):
        method = random.choice(tuple(_DECLINES))
        payment = {"id": _id(random, "payment"), "order_id": order_id, **price.fields("amount"), "method": method}
        if random.random() >= _FAILS_TO_PAY:
            yield Fact("payment.succeeded", "processed_at", {**payment, "status": "succeeded"})
            return True
        code, message = random.choice(_DECLINES[method])
        error = {"error_code": code} if message is None else {"error_code": code, "error_message": message}
        yield Fact("payment.failed", "failed_at", {**payment, "status": "failed", **error})
        if random.random() < _GIVES_UP:
            return False
    return False


@dataclass(frozen=True, slots=True)
class _Bought:
    item_id: str
    name: str
    price: str
    quantity: int

    def cost(self) -> Decimal:
        return Decimal(self.price) * self.quantity

    def item(self) -> Mapping[str, object]:
        return {"id": self.item_id, "name": self.name, "quantity": self.quantity, "price": Decimal(self.price)}


@dataclass(frozen=True, slots=True)
class _Price:
    amount: Decimal
    currency: str

    def fields(self, name: str) -> Mapping[str, object]:
        return {name: self.amount, "currency": self.currency}


def _id(random: Random, of: str) -> str:
    return f"{of}_{random.getrandbits(48):012x}"
