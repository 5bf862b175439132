"""A simulated charger (充电桩): a meter on the load of its sessions that settles charges as orders (充电订单)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.circuit import Circuit
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.orders import OrderLog, Prices, Shown, Sold, SoldPeriod
from firmware_sim.sessions import Session, SessionCurve, shape
from firmware_sim.tariffs import DEFAULT_HOURS, TariffSchedule
from profiles.modbus.orders import RegisterOrders

# After T/CEC 102 (one source).
STOPPED_BY_USER: Final = 0
STOPPED_BY_VEHICLE: Final = 2
_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """How a charger sells: its prices, the tariff of each local hour, the connector (枪), and where its log stands."""

    layout: RegisterOrders
    prices: Prices = field(default_factory=Prices)
    tariff_hours: tuple[int, ...] = DEFAULT_HOURS
    connector: str = "A"


@dataclass(slots=True)
class _Running:
    """A charge that has begun; times by the charger's clock, but for `until_ms`, the true end."""

    session: Session
    number: str
    until_ms: int
    start_ms: int
    start_total_mwh: int
    periods: list[SoldPeriod]
    tariff: int
    tariff_start_ms: int
    tariff_end_ms: int
    tariff_total_mwh: int


class Charger(Meter):
    """A meter with an order log.

    An order says what the charger's own register says: energy sold is the difference of the registers, also at each
    change of tariff by its own clock. A charge ends when the vehicle has its energy, or leaves. One in which the
    vehicle fed back (V2G) sells nothing and is no order.
    """

    def __init__(self, load: SessionCurve, circuit: Circuit, settings: MeterSettings, orders: OrderSettings) -> None:
        super().__init__(load, circuit, settings)
        self.settled: Callable[[Sold, int], Sequence[Sold]] = lambda sold, _: (sold,)
        """What of an order, settled at a true time, gets into the log: for faults to replace."""
        self._sessions = load
        self._selling = orders
        self._orders = OrderLog(orders.layout)
        self._schedule = TariffSchedule(orders.tariff_hours, settings.timezone)
        self._zone = ZoneInfo(settings.timezone)
        self._begun = 0  # sessions
        self._charges = 0
        self._running: _Running | None = None
        self._true_ms = load.start_ms

    def advance(self, now_ms: int) -> None:
        """Bring registers and orders to an instant; an earlier one than the last changes nothing."""
        self._sessions.cover(now_ms + 1)
        while (due_ms := self._next_ms()) is not None and due_ms <= now_ms:
            # A clock that was put forward has changes of tariff behind it.
            self._true_ms = max(due_ms, self._true_ms)
            super().advance(self._true_ms)
            self._follow()
        self._true_ms = max(now_ms, self._true_ms)
        super().advance(now_ms)

    def order_row(self, row: int, now_ms: int) -> Shown:
        """Return what stands in a row of the log, from 0."""
        self.advance(now_ms)
        return self._orders.row(row)

    def order_count(self, now_ms: int) -> int | None:
        """Return what the counter of orders shows; None: no value."""
        self.advance(now_ms)
        return self._orders.shown_count()

    def _next_ms(self) -> int | None:
        """Return when (true time) a charge begins, ends or changes its tariff next."""
        running = self._running
        if running is not None:
            return min(running.until_ms, self._clock.when(running.tariff_end_ms))
        served = self._sessions.served
        return served[self._begun].arrival_ms if self._begun < len(served) else None

    def _follow(self) -> None:
        running = self._running
        if running is None:
            session = self._sessions.served[self._begun]
            self._begun += 1
            if not session.reverse:
                self._running = self._begin(session)
        elif self._true_ms >= running.until_ms:
            self._close_period(running)
            self._running = None
            for sold in self.settled(self._order(running), self._true_ms):
                self._orders.add(sold)
        else:
            self._close_period(running)
            self._open_period(running)

    def _begin(self, session: Session) -> _Running:
        self._charges += 1
        steps = shape(session, self._sessions.rated_mw)
        start_ms, total = self._second(), self._total()
        local = datetime.fromtimestamp(start_ms // _SECOND_MS, self._zone)
        number = f"{self.settings.serial_number:08d}{local:%Y%m%d%H%M%S}{self._charges:06d}"
        running = _Running(session, number, steps[-1][0], start_ms, total, [], 0, 0, 0, 0)
        self._open_period(running)
        return running

    def _second(self) -> int:
        """Return the charger's own time, in whole seconds."""
        device_ms = self._clock.at(self._true_ms)
        return device_ms - device_ms % _SECOND_MS

    def _total(self) -> int:
        return self._step_energy(self._totals.energy_forward)

    def _open_period(self, running: _Running) -> None:
        device_ms = self._clock.at(self._true_ms)
        running.tariff = self._schedule.at(device_ms)
        running.tariff_start_ms = self._second()
        running.tariff_end_ms = self._schedule.next_change(device_ms)
        running.tariff_total_mwh = self._total()

    def _close_period(self, running: _Running) -> None:
        end_ms, total = self._second(), self._total()
        if end_ms == running.tariff_start_ms and total == running.tariff_total_mwh and running.periods:
            return
        prices = self._selling.prices
        running.periods.append(
            SoldPeriod(
                running.tariff_start_ms,
                end_ms,
                total - running.tariff_total_mwh,
                prices.electricity[running.tariff - 1],
                prices.service[running.tariff - 1],
            )
        )

    def _order(self, running: _Running) -> Sold:
        left = running.until_ms >= running.session.departure_ms
        return Sold(
            running.number,
            running.start_ms,
            self._second(),
            running.start_total_mwh,
            self._total(),
            tuple(running.periods),
            STOPPED_BY_USER if left else STOPPED_BY_VEHICLE,
            self._selling.connector,
        )
