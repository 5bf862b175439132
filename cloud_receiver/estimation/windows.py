"""Windows of a station from its meters' registers, for `diantan_core.ErrorEstimator`.

A window lies between two instants at which the registers of all meters in service are known. Where one is not, the
window becomes longer; where a register began anew, no window reaches across. A register that stands the same after a
gap as before it has stood there all the time, since it never goes back: this is known, and nothing else is filled in.
A charger without a register is known where none of its orders is open.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.estimation.orders import Orders
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.registry import Meter, Role
from diantan_core import ErrorWindows, RegisterColumn

MWH_PER_KWH = 1_000_000


@dataclass(frozen=True, slots=True)
class StationWindows:
    """A station's windows; `chargers`: the meter of each column."""

    windows: ErrorWindows
    chargers: tuple[int, ...]
    silent: tuple[int, ...]
    """Meters in service of which no register is known in the span."""
    breaks: int
    """How often a register of any of them began anew."""
    begins: bool
    """Whether the registers of all are known where the span begins."""
    orders: Orders

    @property
    def end_ms(self) -> int | None:
        """Return when the last window ends."""
        ends = self.windows.ends_ms
        return ends[-1] if ends else None

    def part(self, places: Sequence[int]) -> "StationWindows":
        """Return some of the windows, by their places in rising order."""
        return replace(self, windows=self.windows.part(list(places)))


def serves(meter: Meter, first_ms: int, end_ms: int) -> bool:
    """Return whether a meter is in service at some time of a span."""
    return (meter.until is None or meter.until.timestamp() * 1000 > first_ms) and (
        meter.since is None or meter.since.timestamp() * 1000 < end_ms
    )


def _edges(meter: Meter) -> list[int]:
    return [int(time.timestamp() * 1000) for time in (meter.since, meter.until) if time is not None]


def shaped(context: Context) -> list[tuple[int, ...]]:
    """Return what of a station's meters makes other windows of the same readings, where there is anything.

    By number: how many slots its intervals take, and when it came and when it went (0: it always was, and is).
    """
    found = []
    for number, meter in sorted(context.balanced().items()):
        slots = max(1, meter.interval_s * 1000 // SLOT_MS)
        edges = (0 if time is None else int(time.timestamp() * 1000) for time in (meter.since, meter.until))
        found.append((number, slots, *edges))
    return [one for one in found if one[1:] != (1, 0, 0)]


def chargers_of(context: Context, first_ms: int, end_ms: int) -> tuple[int, ...]:
    """Return the chargers in service at some time of a span, by number."""
    return tuple(
        number for number in sorted(context.numbers(Role.CHARGER)) if serves(context.meters[number], first_ms, end_ms)
    )


_NO_ORDERS = Orders()


def build(
    context: Context,
    registers: Registers,
    first_ms: int,
    end_ms: int,
    chargers: tuple[int, ...],
    *,
    orders: Orders = _NO_ORDERS,
) -> StationWindows:
    """Return the windows between aligned instants of [first, end]; `chargers`: of `chargers_of` the whole span."""
    times = range(first_ms + -first_ms % SLOT_MS, end_ms + 1, SLOT_MS)
    others = [
        number
        for number, meter in context.balanced().items()
        if meter.role is not Role.CHARGER and serves(meter, first_ms, end_ms)
    ]
    meters = (*chargers, *others)
    columns = {
        number: RegisterColumn(times.start, orders.column(number, times))
        if number in orders.alone
        else registers.of(number).column(times.start, len(times), context.meters[number].interval_s * 1000 // SLOT_MS)
        for number in meters
    }
    silent = tuple(number for number in meters if times and not columns[number].any)
    starts, broken = _runs(context, registers, meters, times)
    windows = ErrorWindows.from_energies([], [], [[] for _ in chargers])
    begins = bool(times) and all(
        columns[number][0] is not None for number in meters if context.meters[number].in_service(times[0])
    )
    for first, last in pairwise([*starts, len(times)]):
        serving = {number for number in meters if context.meters[number].in_service(times[first])}
        # What auxiliaries draw is taken from the masters' energy.
        master = [
            (columns[number], context.meters[number].role is not Role.GRID) for number in others if number in serving
        ]
        if any(context.meters[number].role is Role.GRID for number in others if number in serving):
            behind = [columns[number] if number in serving else None for number in chargers]
            given, told = orders.sessions(chargers, (times[first], times[last - 1]))
            windows.append(ErrorWindows.from_columns(behind, master, first, last, sessions_ms=given, told_ms=told))
    return StationWindows(windows, chargers, silent, broken, begins, orders)


def _runs(context: Context, registers: Registers, meters: Sequence[int], times: Sequence[int]) -> tuple[list[int], int]:
    """Return the places at which runs of comparable registers begin, and how many registers began anew."""
    if not times:
        return [], 0
    anew = {time_ms for number in meters for time_ms in registers.of(number).breaks if times[0] < time_ms <= times[-1]}
    edges = {time_ms for number in meters for time_ms in _edges(context.meters[number])}
    places = {bisect_left(times, time_ms) for time_ms in anew | edges if times[0] < time_ms <= times[-1]}
    return sorted({0, *places}), len(anew)
