"""`diantan-agent profile check`: what a profile says, and what reading by it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.build import polled_points
from agent.config_lines import Meter
from agent.shown import text_of, unit_of
from diantan_core import dlt698_encode_apdu
from profiles import Block, Point, Profile
from profiles.dlt645.plan import ClockBlock, ItemBlock
from profiles.dlt698.plan import FRAME_OCTETS, SECURITY_OCTETS, ObjectsBlock, RecordBlock, reply_octets
from profiles.dlt698.profile import Dlt698Profile
from profiles.modbus.plan import ReadBlock
from profiles.points import POINTS, Quantity

CHARACTER_BITS: Final = 11  # start, 8 data, parity or a second stop, stop
# Until a meter answers: DL/T 645-2007, 5.3.3 has 20 to 500 ms; other meters keep within it too.
FASTEST_MS, SLOWEST_MS = 20, 500
_RTU_REQUEST: Final = 8
_RTU_REPLY: Final = 5  # unit, function, count, check
_FRAME_645: Final = 4 + 12 + 4  # preamble, frame, identifier
_PREAMBLE: Final = 4
_MOST_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Cost:
    """One block of the plan: what it asks for, requests, and octets there and back (698: as much as expected)."""

    about: str
    points: tuple[str, ...]
    requests: int
    sent: int
    received: int

    def milliseconds(self, baud: int, turnaround_ms: int) -> int:
        """Return how long it takes on a serial line, rounded up."""
        bits = CHARACTER_BITS * (self.sent + self.received)
        return -(-1000 * bits // baud) + self.requests * turnaround_ms


def costs(profile: Profile, points: Sequence[Point], timezone: str) -> list[Cost]:
    """Return the reading plan for these points."""
    return [_cost(profile, block) for block in profile.plan(points, timezone)]


def polled(profile: Profile) -> list[Point]:
    """Return what a poll reads where the configuration does not say; all points where that is none of them."""
    return polled_points(Meter(id="check", profile=profile.name), profile) or list(profile.points.values())


def _cost(profile: Profile, block: Block) -> Cost:
    names = tuple(point.name for point in block.points)
    if isinstance(block, ReadBlock):
        last = block.address + block.count - 1
        about = f"function {block.function}, registers {block.address}..{last}"
        return Cost(about, names, 1, _RTU_REQUEST, _RTU_REPLY + 2 * block.count)
    if isinstance(block, ItemBlock):
        elements = 1 + max(point.element for point in block.points)
        about = f"{block.item.di:08X}" + (f", block of {elements}" if block.item.repeats else "")
        return Cost(about, names, 1, _FRAME_645, _FRAME_645 + elements * block.item.width)
    if isinstance(block, ClockBlock):
        about = f"{block.point.item.di:08X}, then {block.point.time_di:08X}"
        return Cost(about, names, 2, 2 * _FRAME_645, 2 * _FRAME_645 + block.point.item.width + 3)
    if isinstance(block, (ObjectsBlock, RecordBlock)) and isinstance(profile, Dlt698Profile):
        return _cost_698(profile, block, names)
    return Cost(type(block).__name__, names, 1, 0, 0)


def _cost_698(profile: Dlt698Profile, block: ObjectsBlock | RecordBlock, names: tuple[str, ...]) -> Cost:
    choice, content = block.request
    apdu = dlt698_encode_apdu(("get_request", (choice, {"piid": 0, **content, "time_tag": None})))
    overhead = _PREAMBLE + FRAME_OCTETS + (SECURITY_OCTETS if profile.association.plain_security else 0)
    data = sum(4 + 1 + reply_octets(item, profile.elements) for item in block.wanted)
    asked = [f"{item.oad:08X}" for item in block.wanted]
    more = f" and {len(asked) - _MOST_SHOWN} more" if len(asked) > _MOST_SHOWN else ""
    about = f"GET {choice.replace('_', ' ')}: {' '.join(asked[:_MOST_SHOWN])}{more}"
    return Cost(about, names, 1, overhead + len(apdu), overhead + 6 + data)


def rows(profile: Profile) -> list[dict[str, str]]:
    """Return name, Chinese name, place, type, unit and resolution of each point, as text."""
    found = []
    for point in profile.points.values():
        place: Mapping[str, Any] = point.place
        kind = next((str(place[key]) for key in ("type", "format") if key in place), "")
        where = " ".join(f"{key} {value}" for key, value in place.items() if key not in ("type", "format"))
        is_time = point.quantity is Quantity.TIME
        step = "" if is_time else text_of(point, point.resolution, "UTC")
        known = POINTS.get(point.name)
        found.append(
            {
                "point": point.name,
                "name_zh": known.chinese if known else "",
                "place": where,
                "type": kind,
                "unit": "time" if is_time else unit_of(point),
                "resolution": step,
            }
        )
    return found


def table(entries: Sequence[Mapping[str, str]], columns: Sequence[str]) -> list[str]:
    """Return entries as aligned lines, a heading first; Chinese text last, since its width is the terminal's."""
    widths = {column: max(len(column), *(len(entry[column]) for entry in entries)) for column in columns}
    heading = "  ".join(f"{column:<{widths[column]}}" for column in columns).rstrip()
    return [
        heading,
        *("  ".join(f"{entry[column]:<{widths[column]}}" for column in columns).rstrip() for entry in entries),
    ]


def report(profile: Profile, baud: int, timezone: str) -> str:
    """Return what is told of a good profile."""
    plan = costs(profile, polled(profile), timezone)
    requests = sum(cost.requests for cost in plan)
    octets = sum(cost.sent + cost.received for cost in plan)
    fast, slow = (sum(cost.milliseconds(baud, wait) for cost in plan) for wait in (FASTEST_MS, SLOWEST_MS))
    times = f"{fast} ms if the meter answers after {FASTEST_MS} ms, {slow} ms if after {SLOWEST_MS} ms"
    steps = [
        {
            "request": cost.about,
            "octets": f"{cost.sent} + {cost.received}",
            "points": ", ".join(cost.points[:_MOST_SHOWN])
            + (f" and {len(cost.points) - _MOST_SHOWN} more" if len(cost.points) > _MOST_SHOWN else ""),
        }
        for cost in plan
    ]
    about = "about " if isinstance(profile, Dlt698Profile) else ""
    orders = f"charge orders: {'none' if profile.orders is None else f'the last {profile.orders.rows}'}"
    return "\n".join(
        [
            f"{profile.name}: {profile.manufacturer} {profile.model}, {profile.protocol}",
            f"source: {profile.source}",
            "",
            *table(rows(profile), ("point", "place", "type", "unit", "resolution", "name_zh")),
            "",
            f"tables: {', '.join(profile.tables) or 'none'}; writes: {', '.join(profile.writes) or 'none'}; {orders}",
            "",
            f"a poll: {requests} requests, {about}{octets} octets; at {baud} Bd {times}",
            *table(steps, ("request", "octets", "points")),
        ]
    )


def as_json(profile: Profile, baud: int, timezone: str) -> dict[str, Any]:
    """Return the same for machines."""
    plan = costs(profile, polled(profile), timezone)
    return {
        "name": profile.name,
        "model": profile.model,
        "manufacturer": profile.manufacturer,
        "protocol": profile.protocol,
        "source": profile.source,
        "points": rows(profile),
        "tables": list(profile.tables),
        "writes": list(profile.writes),
        "orders": 0 if profile.orders is None else profile.orders.rows,
        "plan": [
            {
                "request": cost.about,
                "points": list(cost.points),
                "requests": cost.requests,
                "octets_sent": cost.sent,
                "octets_received": cost.received,
                "fastest_ms": cost.milliseconds(baud, FASTEST_MS),
                "slowest_ms": cost.milliseconds(baud, SLOWEST_MS),
            }
            for cost in plan
        ],
        "baud": baud,
    }
