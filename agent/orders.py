"""Charge orders (充电订单) read from a charger's own log, each told once.

The charger counts its orders and keeps the last ones. How far the gateway has got, and the digests of the orders it
told last, are stored with the record that each leads to: so a restart repeats none, and what an outage missed is
caught up as far back as the charger keeps it. What it keeps no more is counted and told.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from agent.logs import log
from agent.spare import Errand
from fieldbus.exchange import RefusedError, UnsupportedError
from profiles.model import PERIODS, CodecError, LoggedOrder, OrderLog
from wire.charge_order import ChargeOrder, ChargeOrderError, Period, PeriodsTooLongError
from wire.domain import MAX_DETAIL_BYTES
from wire.records import DetailKey, EventCode, EventRecord, Record

OVERDUE_MS: Final = 3_600_000  # an errand that its line has not brought back by then is sent again
LONGEST_RETRY_MS: Final = 1_800_000
ATTEMPTS: Final = 3  # at an order that is in the log and is none
# A counter that is lower than before either went round or was reset. It went round when so many orders at most explain
# it, and no more than an eighth of what it can count: one that was reset seldom stood as close to its end as that.
MOST_ROUND: Final = 8192
_ROUND_PART: Final = 8
_FEWEST_DIGESTS: Final = 64
_MOST_DIGESTS: Final = 256
_DIGEST_BYTES: Final = 8


class MeterOrders:
    """The orders of one charger."""

    def __init__(
        self,
        meter: str,
        orders: OrderLog,
        timezone: str,
        *,
        check_ms: int,
        now_ms: Callable[[], int],
        tell: Callable[[Record | None], None],
        connector: str | None = None,
    ) -> None:
        """`tell` takes each record, or None where only what is stored has changed, after that has changed.

        With a `connector` (枪), orders of others are passed over: those of a charger whose log is one for all.
        """
        self.seen: int | None = None  # number of the last order that was dealt with; None: nothing is known
        self.read = 0
        self.missed = 0
        self.repeated = 0  # the log had them twice
        self.torn = 0  # reads during which the counter moved
        self._meter = meter
        self._log = orders
        self._timezone = timezone
        self._check_ms = check_ms
        self._now_ms = now_ms
        self._tell = tell
        self._connector = connector
        self._digests: dict[str, None] = {}  # of the orders told last, oldest first
        self._most_digests = min(max(2 * orders.rows, _FEWEST_DIGESTS), _MOST_DIGESTS)
        self._most_round = max(orders.rows, min(MOST_ROUND, orders.wraps_at // _ROUND_PART))
        self._asked_ms: int | None = None
        self._looked_ms: int | None = None  # when the wait began
        self._wait_ms = 0
        self._failures = 0  # in a row
        self._attempts = 0  # at the order that comes next
        self._count: int | None = None  # the newest order, while some are still to be read
        self._doubted: int | None = None  # what the counter showed when it was not believed

    def errand(self) -> Errand | None:
        """Return what to read now: the counter when it is due, and the orders that it tells of, oldest first."""
        now = self._now_ms()
        if self._asked_ms is not None and 0 <= now - self._asked_ms < OVERDUE_MS:
            return None
        self._asked_ms = None
        if self._looked_ms is not None and 0 <= now - self._looked_ms < self._wait_ms:
            return None
        self._asked_ms = now
        if self._count is None or self.seen is None:
            return Errand([self._log.count_block()], self._counted, self._failed)
        number = self._next(self.seen)
        blocks = self._log.order_blocks(number, self._count, self._timezone)
        return Errand(blocks, partial(self._brought, number, self._count), self._failed)

    def exchanged(self) -> None:
        """Take note that the charger is another one: its counter says nothing of the one before."""
        self.seen = self._count = None
        self._attempts = 0

    def _next(self, number: int) -> int:
        return (number + 1) % self._log.wraps_at

    def _wait(self, wait_ms: int) -> None:
        self._looked_ms, self._wait_ms = self._now_ms(), wait_ms

    def _counted(self, values: dict[str, int], _: int) -> None:
        self._asked_ms = None
        self._answered()
        self._take(values["count"])

    def _answered(self) -> None:
        if self._failures:
            log.info("its order log answers again", extra={"about": self._meter})
        self._failures = 0

    def _take(self, count: int) -> None:
        """Take what the counter says; afterwards `seen` is where the orders to be read begin, if there are any."""
        rows = self._log.rows
        waiting = self._waiting(count) if self._confirmed(count) else 0
        if not waiting:
            self._count = None
            self._wait(self._check_ms)
            return
        self._wait(0)
        self._count = count
        if waiting > rows:
            self.seen = (count - rows) % self._log.wraps_at
            self._attempts = 0
            self._miss(waiting - rows, f"the charger keeps the last {rows} orders only")

    def _confirmed(self, count: int) -> bool:
        """Return whether a counter is to be believed: one that fell, or went further than its log, when it stays so.

        A charger that is just starting shows 0 for a while, and nothing must be counted as missed for that.
        """
        doubted, self._doubted = self._doubted, None
        if self.seen is None or self._ahead(count, self.seen) <= self._log.rows:
            return True
        if doubted is not None and self._ahead(count, doubted) <= self._log.rows:
            return True
        self._doubted = count
        return False

    def _ahead(self, count: int, number: int) -> int:
        return (count - number) % self._log.wraps_at

    def _waiting(self, count: int) -> int:
        """Return how many orders came after the last that was dealt with."""
        if self.seen is not None:
            ahead = self._ahead(count, self.seen)
            if count >= self.seen or ahead <= self._most_round:
                return ahead
            log.warning(
                "its order counter fell from %d to %d: its log is read anew",
                self.seen,
                count,
                extra={"about": self._meter},
            )
        # Of a charger that is not known, all that it keeps; what was told before is known by its content.
        self.seen = max(count - self._log.rows, 0)
        self._attempts = 0
        self._tell(None)
        return count - self.seen

    def _brought(self, number: int, count: int, values: dict[str, int], _: int) -> None:
        self._asked_ms = None
        self._answered()
        if self._count is None or self.seen is None or self._next(self.seen) != number:
            return  # the charger was exchanged meanwhile
        if values["count"] != count:
            # The row may have been of two orders.
            self.torn += 1
            self._take(values["count"])
            return
        try:
            order = self._order(number, self._log.order(values, self._timezone))
            details = self._details(order)
        except (CodecError, ChargeOrderError) as error:
            bare = self._without_periods(number, values, error)
            if bare is None:
                self._unusable(number, error)
                return
            order, details = bare, bare.to_details()
        self._done(number)
        if self._connector is not None and order.connector != self._connector:
            self._tell(None)
            return
        record = EventRecord(self._meter, order.end_ms, EventCode.CHARGE_ORDER, details)
        digest = _digest(record.details)
        if digest in self._digests:
            self.repeated += 1
            log.warning("order %s is twice in its log: told once", order.number, extra={"about": self._meter})
            self._tell(None)
            return
        self._digests[digest] = None
        while len(self._digests) > self._most_digests:
            del self._digests[next(iter(self._digests))]
        self.read += 1
        self._tell(record)

    def _done(self, number: int) -> None:
        """Take note that an order is dealt with."""
        self.seen = number
        self._attempts = 0
        if number == self._count:
            self._count = None
            self._wait(self._check_ms)

    def _order(self, number: int, row: LoggedOrder) -> ChargeOrder:
        if row.index is not None and row.index != number:
            raise CodecError(f"its row is of order {row.index}")
        numbers = row.numbers
        missing = [name for name in ("number", "start", "end", "energy") if name not in {*row.texts, *numbers}]
        if missing:
            raise CodecError(f"its row has no {', '.join(missing)}")
        return ChargeOrder(
            number=row.texts["number"],
            start_ms=numbers["start"],
            end_ms=numbers["end"],
            energy_mwh=numbers["energy"],
            amount=numbers.get("amount"),
            electricity_amount=numbers.get("electricity_amount"),
            service_amount=numbers.get("service_amount"),
            start_total_mwh=numbers.get("start_total"),
            end_total_mwh=numbers.get("end_total"),
            stop_reason=numbers.get("stop_reason"),
            connector=row.texts.get("connector"),
            periods=tuple(_period(found) for found in row.periods),
        )

    def _details(self, order: ChargeOrder) -> dict[int, int | str]:
        try:
            return order.to_details()
        except PeriodsTooLongError as error:
            log.warning("order %s is told without its periods: %s", order.number, error, extra={"about": self._meter})
            return replace(order, periods=()).to_details()

    def _without_periods(self, number: int, values: Mapping[str, int], error: Exception) -> ChargeOrder | None:
        """Return an order whose periods alone are at fault, at the last look; None for any other."""
        if self._attempts + 1 < ATTEMPTS:
            return None
        rest = {name: value for name, value in values.items() if not name.startswith(PERIODS)}
        try:
            order = self._order(number, self._log.order(rest, self._timezone))
            order.to_details()
        except (CodecError, ChargeOrderError):
            return None
        log.warning("order %s is told without its periods: %s", order.number, error, extra={"about": self._meter})
        return order

    def _unusable(self, number: int, error: Exception) -> None:
        """Read an order again that is none, and leave it when it stays so."""
        self._attempts += 1
        log.warning("order %d of its log can't be used: %s", number, error, extra={"about": self._meter})
        if self._attempts < ATTEMPTS:
            self._count = None
            self._wait(self._check_ms)
            return
        self._done(number)
        self._miss(1, f"order {number}: {error}")

    def _miss(self, count: int, reason: str) -> None:
        self.missed += count
        log.warning("%d charge orders were missed: %s", count, reason, extra={"about": self._meter})
        text = reason.encode()[:MAX_DETAIL_BYTES].decode(errors="ignore")  # a charger's own text may be in it
        details: dict[int, int | str] = {int(DetailKey.COUNT): count, int(DetailKey.TEXT): text}
        self._tell(EventRecord(self._meter, self._now_ms(), EventCode.CHARGE_ORDERS_MISSED, details))

    def _failed(self, error: Exception) -> None:
        self._asked_ms = None
        self._count = None
        self._failures += 1
        longest = max(LONGEST_RETRY_MS, self._check_ms)
        if isinstance(error, RefusedError | UnsupportedError):
            self._wait(longest)  # it has none, or not for us
        else:
            self._wait(min(self._check_ms << min(self._failures - 1, 10), longest))
        if self._failures == 1:
            log.info("its charge orders can't be read: %s", error, extra={"about": self._meter})

    def stored(self) -> dict[str, object]:
        """Return what the journal keeps."""
        return {"seen": self.seen, "digests": list(self._digests)}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on from what the journal kept; ValueError, TypeError or KeyError when it is not that."""
        seen, digests = stored["seen"], stored["digests"]
        if seen is not None and (type(seen) is not int or not 0 <= seen < self._log.wraps_at):
            raise ValueError(f"expected the number of an order, found {seen!r:.40}")
        self.seen = seen
        self._digests = dict.fromkeys(str(digest) for digest in digests[-self._most_digests :])


def _period(found: Mapping[str, int]) -> Period:
    missing = [name for name in ("end", "energy") if name not in found]
    if missing:
        raise CodecError(f"one of its periods has no {', '.join(missing)}")
    return Period(
        found["start"],
        found["end"],
        found["energy"],
        found.get("price"),
        found.get("service_price"),
        found.get("amount"),
        found.get("service_amount"),
    )


def _digest(details: Mapping[int, int | str]) -> str:
    """Return what tells an order from all others: the same number with other content is another version of it."""
    content = repr(sorted(details.items())).encode()
    return hashlib.sha256(content).hexdigest()[: 2 * _DIGEST_BYTES]
