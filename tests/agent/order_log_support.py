"""What the tests of charge orders share: a charger's log, and the gateway beside it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.orders import MeterOrders
from profiles.model import LoggedOrder
from wire.records import EventCode

NOW = 1_767_196_800_000
CHECK_MS = 30_000
ROWS = 4


class Log:
    """A charger's log of the last orders; its counter has 256 numbers unless told otherwise."""

    rows = ROWS

    def __init__(self, wraps_at: int = 256) -> None:
        self.wraps_at = wraps_at
        self.count = 0
        self.kept: dict[int, LoggedOrder | Exception] = {}

    def settle(self, name: str = "", **changes: Any) -> None:
        """Let a charge end."""
        self.count = (self.count + 1) % self.wraps_at
        self.kept[self.count] = self.order_of(self.count, name, **changes)
        self.kept = dict(list(self.kept.items())[-self.rows :])

    @staticmethod
    def order_of(number: int, name: str = "", **changes: Any) -> LoggedOrder:
        numbers = {"start": NOW - 1000, "end": NOW - 500, "energy": 10**6 * number, "amount": 5} | changes
        return LoggedOrder(number, {"number": name or f"N{number}"}, numbers)

    def count_block(self) -> Any:
        return "count"

    def order_blocks(self, order: int, count: int, timezone: str) -> list[Any]:
        assert timezone == "Asia/Shanghai"
        if (count - order) % self.wraps_at >= self.rows:
            raise IndexError(order)
        return [order, "count"]

    def order(self, values: Mapping[str, int], timezone: str) -> LoggedOrder:
        found = self.kept[values["asked"]]
        if isinstance(found, Exception):
            raise found
        return found if "periods.1.start" in values else replace(found, periods=())


class Desk:
    """A charger and the gateway beside it; what is stored is stored with what is told."""

    def __init__(self, wraps_at: int = 256) -> None:
        self.now_ms = NOW
        self.log = Log(wraps_at)
        self.told: list[Any] = []
        self.stored: bytes = b""
        self.asked: list[Any] = []
        self.start()

    def start(self, connector: str | None = None) -> None:
        """Start the gateway (again), with what the journal has."""
        self.orders = MeterOrders(
            "桩-1",
            self.log,
            "Asia/Shanghai",
            check_ms=CHECK_MS,
            now_ms=lambda: self.now_ms,
            tell=self.tell,
            connector=connector,
        )
        if self.stored:
            self.orders.restore(json.loads(self.stored))

    def tell(self, record: Any) -> None:
        self.stored = json.dumps(self.orders.stored()).encode()
        if record is not None:
            self.told.append(record)

    def answer(self, errand: Any, count: int | None = None) -> None:
        self.asked.append(errand.blocks[0])
        values = {"count": self.log.count if count is None else count}
        if errand.blocks[0] != "count":
            values |= {"asked": errand.blocks[0], "periods.1.start": 1}
        errand.done(values, self.now_ms)

    def look(self) -> None:
        """Let a period pass and the charger answer all that it is asked."""
        self.now_ms += CHECK_MS
        while (errand := self.orders.errand()) is not None:
            self.answer(errand)

    def take(self) -> list[str]:
        """Return the numbers of the orders told since the last time, and how many were missed as `-n`."""
        told, self.told = self.told, []
        return [
            str(record.details[19]) if record.code == EventCode.CHARGE_ORDER else str(-record.details[4])
            for record in told
        ]
