"""What orders under one number have to do with each other: the same again, a further word, another charge."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final

from cloud_receiver.sales.order import Order

MOST_CHARGES: Final = 100
"""Of one number that are looked at, the newest: some chargers give all orders the same."""
CONTENT: Final = tuple(each.name for each in fields(Order) if each.name not in {"number", "periods"})


@dataclass(slots=True, eq=False)
class Kept:
    """What there is of one charge: the version in force."""

    order: Order
    row: int | None
    """Its row in the store; None for one that is entered now."""
    journal: int | None
    sequence: int | None
    received_ms: int
    pending: dict[str, object] | None = None
    """The row that is entered now."""


@dataclass(slots=True)
class Number:
    """What there is under one number of a charger."""

    highest: int = 0
    """Version."""
    charges: list[Kept] = field(default_factory=list)
    """One, unless the number was used again; the newest last."""
    earlier: list[Order] = field(default_factory=list)
    """What gateways told before."""
    older: dict[int, list[Order]] = field(default_factory=dict)
    """Charges before those, by their start: as they are told again word for word, with a whole log."""

    def charge_of(self, order: Order, *, by_gateway: bool) -> Kept | None:
        """Return the charge of which an order is told; None for one that is new."""
        for kept in self.charges[:-MOST_CHARGES]:
            self.note_older(kept.order)
        del self.charges[:-MOST_CHARGES]
        place = charge_of(order, [kept.order for kept in self.charges], by_gateway=by_gateway)
        return None if place is None else self.charges[place]

    def note_older(self, order: Order) -> None:
        """Note a charge that is not among the newest."""
        self.older.setdefault(order.start_ms, []).append(order)

    def is_known(self, order: Order, before: Kept | None) -> bool:
        """Return whether an order says nothing new: of the charge of which it is told, or of one long before."""
        if before is not None and says_nothing_new(order, before.order):
            return True
        return any(says_nothing_new(order, known) for known in self.older.get(order.start_ms, ()))

    def is_again(self, order: Order, journal: int | None, before: Kept | None) -> bool:
        """Return whether a gateway that has lost its journal tells what it told before."""
        if before is None and self.charges:
            before = self.charges[-1]
        if before is None or journal is None or journal == before.journal:
            return False
        return any(says_nothing_new(order, told) for told in self.earlier)


def charge_of(order: Order, charges: Sequence[Order], *, by_gateway: bool) -> int | None:
    """Return of which of the charges of its number an order is told; None for none of them.

    A charger that was reset counts its orders anew. A file that has another charge under a number corrects it.
    """
    newest_first = range(len(charges) - 1, max(len(charges) - MOST_CHARGES, 0) - 1, -1)
    for place in newest_first:
        if says_nothing_new(order, charges[place]):
            return place
    for place in newest_first:
        if not is_another(order, charges[place]):
            return place
    return None if by_gateway or not charges else len(charges) - 1


def is_another(order: Order, other: Order) -> bool:
    """Return whether nothing of two orders is the same: their times, and their registers, or else energy and duration.

    A clock that was put right moves both times. Of a charger that gives all orders one number some have one energy.
    """
    if order.first_ms <= other.last_ms and other.first_ms <= order.last_ms:
        return False
    registers, others = ((each.start_total_mwh, each.end_total_mwh) for each in (order, other))
    if None not in (*registers, *others):
        return registers != others
    one, another = ((each.energy_mwh, each.last_ms - each.first_ms) for each in (order, other))
    return one != another


def says_nothing_new(order: Order, before: Order) -> bool:
    """Return whether all that an order tells is what is known; what it leaves out it doesn't deny."""
    if order.periods and order.periods != before.periods:
        return False
    return all((value := getattr(order, name)) is None or value == getattr(before, name) for name in CONTENT)


def filled(order: Order, before: Order) -> Order:
    """Return an order with what was known of it and is not told again.

    Periods are those of their times and energy: another charge's are left out.
    """
    known = {name: getattr(before, name) for name in CONTENT if getattr(order, name) is None}
    same = (order.start_ms, order.end_ms, order.energy_mwh) == (before.start_ms, before.end_ms, before.energy_mwh)
    return replace(order, periods=order.periods or (before.periods if same else ()), **known)


def is_earlier(journal: int | None, sequence: int | None, before: Kept) -> bool:
    """Return whether a gateway's record comes after a later one of its journal."""
    if journal is None or journal != before.journal or sequence is None or before.sequence is None:
        return False
    return sequence < before.sequence
