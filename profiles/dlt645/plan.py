"""The reading plan: the fewest octets and turnarounds that bring the wanted points.

A meter answers after 20 to 500 ms (DL/T 645-2007, 5.3.3), so on most lines the number of exchanges counts, not their
length. An FF block (数据块) brings all tariffs or phases in one exchange; which ones a meter serves, its profile says.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from profiles.dlt645.codec import decode_moment, decode_usable, is_filled
from profiles.dlt645.formats import DataItem, block_place, di_text
from profiles.dlt645.model import ItemPoint, Query
from profiles.dlt645.moments import to_instant
from profiles.model import CodecError, NoValueError

DEFAULT_TURNAROUND: Final = 20
"""In octets: the shortest delay, 20 ms, is 17 octets of 11 bits at 9600 Bd. A slow meter is worth more."""
_FRAME: Final = 4 + 12 + 4  # preamble, frame, identifier: of the request, and again of the reply
_NONE: Final = 0xFFFF
_LENGTH: Final = 2
_DATE_AGAIN: Final = 2  # which of a clock's replies it is


class QueryBlock(Protocol):
    """A request of the plan as the driver of DL/T 645 sees it: identifiers to be read, one after the other."""

    @property
    def points(self) -> tuple[ItemPoint, ...]:
        """The points that the replies bring."""

    def next_query(self, replies: Sequence[bytes | None]) -> Query | None:
        """Return what to read next, given the data of the replies so far (None: refused); None when all is there.

        CodecError when the replies can't become values, whatever else is read.
        """

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return canonical integers by name from what `join` made of the replies."""


def join(replies: Iterable[bytes | None]) -> bytes:
    """Return the data of several replies as one sequence of octets."""
    joined = bytearray()
    for data in replies:
        joined += (_NONE if data is None else len(data)).to_bytes(_LENGTH, "big")
        joined += data or b""
    return bytes(joined)


def split(joined: bytes) -> list[bytes | None]:
    """Return the replies that `join` was given; CodecError for anything else."""
    replies: list[bytes | None] = []
    rest = joined
    while rest:
        length = int.from_bytes(rest[:_LENGTH], "big")
        if length == _NONE:
            replies.append(None)
            length = 0
        elif len(rest) < _LENGTH + length:
            raise CodecError(f"expected {length} octets of a reply, got {len(rest) - _LENGTH}")
        else:
            replies.append(rest[_LENGTH : _LENGTH + length])
        rest = rest[_LENGTH + length :]
    return replies


def required(replies: Sequence[bytes | None], index: int, what: str) -> bytes:
    """Return a reply that has to be there; CodecError."""
    data = replies[index] if index < len(replies) else None
    if data is None:
        raise CodecError(f"{what}: no reply")
    return data


@dataclass(frozen=True, slots=True)
class ItemBlock:
    """One exchange: an item or FF block, and the points it contains.

    `apart` are the same points where they stand outside the block: a meter that has no such block is asked for each.
    """

    item: DataItem
    points: tuple[ItemPoint, ...]
    timezone: str
    apart: tuple[ItemPoint, ...] = ()

    def next_query(self, replies: Sequence[bytes | None]) -> Query | None:
        """Return the one query, or when it was refused those for the parts of the block."""
        if not replies:
            return Query(self.item.di, optional=bool(self.apart))
        parts = self._parts()
        if replies[0] is not None or len(replies) > len(parts):
            return None
        return Query(parts[len(replies) - 1].di, optional=True)

    def _parts(self) -> tuple[DataItem, ...]:
        return tuple(dict.fromkeys(point.item for point in self.apart))

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the values by name; what is unusable is absent beside others that are not.

        CodecError for another length, for digits that are none where nothing else has a value, or for nothing at all.
        """
        values, wrong = self._take(reply)
        if wrong and not values:
            raise next(iter(wrong.values()))
        return values

    def refusals(self, reply: bytes) -> dict[str, str]:
        """Return why points have no value, by name: what stands in their field instead."""
        return {name: str(error) for name, error in self._take(reply)[1].items()}

    def _take(self, reply: bytes) -> tuple[dict[str, int], dict[str, CodecError]]:
        whole, *others = split(reply) or [None]
        if whole is not None:
            return decode_usable(self.points, self.item, whole, self.timezone)
        there = [(item, data) for item, data in zip(self._parts(), others, strict=False) if data is not None]
        if not there:
            raise CodecError(f"{di_text(self.item.di)}: no reply" + (", nor for its parts" if self.apart else ""))
        values: dict[str, int] = {}
        wrong: dict[str, CodecError] = {}
        for item, data in there:
            points = [point for point in self.apart if point.item == item]
            try:
                found, unusable = decode_usable(points, item, data, self.timezone)
            except CodecError as error:
                found, unusable = {}, dict.fromkeys((point.name for point in points), error)
            values |= found
            wrong |= unusable
        return values, wrong


@dataclass(frozen=True, slots=True)
class ClockBlock:
    """A clock in two items: the date is read first, and again in the first minute of a day, when it may be yesterday's.

    The time comes last otherwise, so that the value is as fresh as its reply.
    """

    point: ItemPoint
    timezone: str

    @property
    def points(self) -> tuple[ItemPoint, ...]:
        """Return the one point."""
        return (self.point,)

    def next_query(self, replies: Sequence[bytes | None]) -> Query | None:
        """Return date, time, and the date once more where it is needed."""
        assert self.point.time_di is not None
        if len(replies) == 1:
            return Query(self.point.time_di)
        again = len(replies) == _DATE_AGAIN and self._is_first_minute(replies)
        return Query(self.point.item.di) if not replies or again else None

    def _is_first_minute(self, replies: Sequence[bytes | None]) -> bool:
        try:
            time = self._time(replies)
        except CodecError:
            return False  # `decode` says so: a clock that shows nonsense must not cost the other values of a poll
        return time["hour"] == 0 and time["minute"] == 0

    def _time(self, replies: Sequence[bytes | None]) -> dict[str, int]:
        assert self.point.time_di is not None
        return decode_moment(self.point.time_di, "hhmmss", required(replies, 1, self.point.name))

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the clock's value, if it has one."""
        replies = split(reply)
        date_octets = required(replies, _DATE_AGAIN if len(replies) > _DATE_AGAIN else 0, self.point.name)
        if is_filled(date_octets) or is_filled(required(replies, 1, self.point.name)):
            return {}
        date = decode_moment(self.point.item.di, self.point.format.text, date_octets)
        if not any(date.values()):
            return {}
        try:
            return {self.point.name: to_instant(date | self._time(replies), self.timezone)}
        except NoValueError:
            return {}
        except CodecError as error:
            raise CodecError(f"{self.point.name}: {error}") from None


def plan_reads(
    wanted: Iterable[ItemPoint],
    known: Mapping[str, ItemPoint],
    blocks: Sequence[DataItem],
    timezone: str,
    turnaround: int = DEFAULT_TURNAROUND,
) -> list[QueryBlock]:
    """Return the exchanges of least cost, in octets, that bring the points; in the order of their identifiers.

    `blocks` are those that the meter serves. How many elements one has only its reply tells: for the cost, as many as
    the profile has points in it. The result does not depend on the order of the points; equal ones are read once.
    """
    clocks: list[QueryBlock] = []
    single: dict[DataItem, list[ItemPoint]] = defaultdict(list)
    for point in sorted(set(wanted), key=lambda point: point.name):
        if point.time_di is not None:
            clocks.append(ClockBlock(point, timezone))
        else:
            single[point.item].append(point)
    found: list[QueryBlock] = []
    for block in blocks:
        members = [item for item in single if _place(item, block) is not None]
        if not members:
            continue
        least = max(_elements(point, block) for point in known.values())
        each = sum(_cost(item.width, turnaround) for item in members)
        together = _cost(block.width * least, turnaround)
        if (together, 1) < (each, len(members)):
            apart = sorted((point for item in members for point in single.pop(item)), key=_order)
            within = sorted((_within(point, block) for point in apart), key=_order)
            found.append(ItemBlock(block, tuple(within), timezone, tuple(apart)))
    for item, points in single.items():
        found.append(ItemBlock(item, tuple(sorted(points, key=_order)), timezone))
    return sorted(found + clocks, key=lambda block: block.points[0].item.di)


def _order(point: ItemPoint) -> tuple[int, int, int, str]:
    return point.item.di, point.element, point.field, point.name


def _cost(data: int, turnaround: int) -> int:
    return 2 * _FRAME + data + turnaround


def _place(item: DataItem, block: DataItem) -> int | None:
    """Return which element of a block an item of its own is; None when it is not one."""
    place = None if item.repeats else block_place(item.di)
    return place[1] if place is not None and place[0] == block.di and item.formats == block.formats else None


def _elements(point: ItemPoint, block: DataItem) -> int:
    place = None if point.time_di is not None else _place(point.item, block)
    return 0 if place is None else place + 1


def _within(point: ItemPoint, block: DataItem) -> ItemPoint:
    place = _place(point.item, block)
    assert place is not None
    return replace(point, item=block, element=place)
