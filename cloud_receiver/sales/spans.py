"""Times in which orders were open."""

from collections.abc import Iterable, Mapping

from cloud_receiver.sales.order import Order


def open_spans(orders: Mapping[int, Iterable[Order]], clock_ms: int) -> list[tuple[int, int]]:
    """Return the times in which any order was open, as the clocks allow, joined and in order."""
    found = ((order.first_ms - clock_ms, order.last_ms + clock_ms) for mine in orders.values() for order in mine)
    return joined(sorted(found))


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order of time with those that touch made one."""
    result: list[tuple[int, int]] = []
    for first, last in spans:
        if result and first <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], last)
        else:
            result.append((first, last))
    return result
