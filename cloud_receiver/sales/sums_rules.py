"""Rules about sums: what a charger metered outside its orders, and days and months of chargers and of the station."""

from collections.abc import Iterator

from cloud_receiver.checks.model import STATION, Kind, Severity
from cloud_receiver.sales import idle, totals
from cloud_receiver.sales.curve import Curve
from cloud_receiver.sales.finding import Found, iso
from cloud_receiver.sales.spans import joined
from cloud_receiver.sales.totals import Total
from cloud_receiver.sales.window import Window, mwh

_HOUR_MS = 3_600_000
_SHOWN_RECORDS = 20


def unsold(window: Window) -> Iterator[Found]:
    """Find energy that a charger metered while no order of it was open, beyond its own consumption."""
    smallest = mwh(window.settings.smallest_kwh)
    for number in window.chargers():
        curve = window.curves.get(number)
        if curve is None:
            continue
        step = mwh(window.context.meters[number].resolution_kwh)
        for first, end in _free(window, number):
            least = curve.bounds(first, end).low - _own(window, end - first) - step
            if least > smallest:
                records = _records(window, curve, first, end)
                detail = {"from": iso(first), "to": iso(end), "at_least_mwh": least, "records": records}
                yield Found(Kind.UNSOLD, number, _first_energy(window, curve, first, end), detail)


def _own(window: Window, duration_ms: int) -> int:
    return int(window.settings.own_consumption_w * 1000 * duration_ms / _HOUR_MS)


def _free(window: Window, number: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of the span in which no order of a charger was open, as the clocks allow."""
    clock = window.clock_ms
    orders = (*window.orders.get(number, ()), *window.handed_on.get(number, ()))
    spans = joined(sorted((order.first_ms - clock, order.last_ms + clock) for order in orders))
    at = window.first_ms
    for first, last in spans:
        if first > at:
            yield at, min(first, window.end_ms)
        at = max(at, last)
        if at >= window.end_ms:
            return
    yield at, window.end_ms


def _with_energy(window: Window, curve: Curve, first_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
    for piece in curve.within(first_ms, end_ms):
        low = curve.bounds(max(piece.start_ms, first_ms), min(piece.end_ms, end_ms)).low
        if low > _own(window, piece.end_ms - piece.start_ms):
            yield piece.start_ms, piece.end_ms, low


def _first_energy(window: Window, curve: Curve, first_ms: int, end_ms: int) -> int:
    return next((max(start, first_ms) for start, _, _ in _with_energy(window, curve, first_ms, end_ms)), first_ms)


def _records(window: Window, curve: Curve, first_ms: int, end_ms: int) -> list[object]:
    found = list(_with_energy(window, curve, first_ms, end_ms))
    return [{"from": iso(start), "to": iso(end), "mwh": low} for start, end, low in found[:_SHOWN_RECORDS]]


def chargers(window: Window, kind: Kind) -> Iterator[Found]:
    """Find chargers whose orders of the span are not what they metered."""
    smallest = mwh(window.settings.smallest_kwh)
    for number in window.chargers():
        total = totals.charger(window, number, window.first_ms, window.end_ms)
        # Nothing is certain of a charger without records; energy in their place may be any.
        if total is not None and abs(total.beyond_mwh) > smallest:
            yield Found(kind, number, window.end_ms - 1, total.evidence())


def station(window: Window, kind: Kind) -> Iterator[Found]:
    """Find a station whose orders, with loss and auxiliaries, are not what its grid side has."""
    if window.crowds:  # that they are there is told; what they sold isn't known
        return
    smallest = mwh(window.settings.smallest_kwh)
    found = idle.closed(window, parts=kind is Kind.SOLD_DAY)
    if found is None:
        return
    whole = abs(found.total.beyond_mwh) > smallest
    ratio = window.settings.gross_ratio
    # The tolerance of a part is small where little was sold; so many parts would exceed one by chance.
    parts = [part for part in found.parts if part.determined and abs(part.off(ratio)) > smallest + part.tolerance_mwh]
    if not whole and not parts:
        return
    detail = _told(found.total) | {"between_idle_moments": found.between_idle}
    severity = Severity.ALARM if whole else Severity.WARNING
    yield Found(kind, STATION, found.total.end_ms - 1, detail, severity)
    for part in parts:
        yield Found(kind, STATION, part.first_ms, _told(part), severity)


def _told(total: Total) -> dict[str, object]:
    return {"from": iso(total.first_ms), "to": iso(total.end_ms), **total.evidence()}
