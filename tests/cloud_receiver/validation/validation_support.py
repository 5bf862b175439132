"""Windows of a simulated station, healthy or with a fault that is seeded, for the tests of validation."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from cloud_receiver.checks.freezes import FreezeRow
from cloud_receiver.checks.model import Context, IntervalRow, Slot
from cloud_receiver.registry import Auxiliary, Loss, Meter, Role, Station
from cloud_receiver.validation.model import EventRow, MessageRow, Window
from wire.records import Quality

SLOT_MS = 900_000
DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
SLOTS = 96
KWH = 1_000_000
STEP = 10_000
GRID = 4
CHARGERS = (1, 2, 3)


def context(**changes: object) -> Context:
    """Return station S1: chargers 1 to 3 of 60 kW, the grid-side meter 4 of 400 kW, cables that lose."""
    meters = {
        number: Meter(id=f"C{number:02}", role=Role.CHARGER, gateway="gw1", rated_kw=Decimal(60)) for number in CHARGERS
    }
    meters[GRID] = Meter(id="G", role=Role.GRID, gateway="gw1", rated_kw=Decimal(400), accuracy_class=Decimal("0.5"))
    values: dict[str, object] = {
        "id": "S1",
        "node": "node1",
        "meter": tuple(meters.values()),
        "loss": Loss(trunk_ohm=Decimal("0.004"), branch_ohm=Decimal("0.03")),
        "auxiliary": Auxiliary(load_w=Decimal(400)),
    }
    return Context(1, Station.model_validate(values | changes), meters, {})


def energies(seed: int, station: Context, slots: int = SLOTS) -> dict[int, list[int]]:
    """Return what each meter counts in each slot: chargers that come and go, the grid side with loss and auxiliary."""
    draw = random.Random(seed)
    truth: dict[int, list[int]] = {}
    for number in CHARGERS:
        values: list[int] = []
        while len(values) < slots:
            values += [0] * draw.randrange(1, 8) + [draw.randrange(3 * KWH, 15 * KWH)] * draw.randrange(1, 6)
        truth[number] = values[:slots]
    return truth | {GRID: grid_side(station, truth)}


def grid_side(station: Context, chargers: dict[int, list[int]]) -> list[int]:
    """Return what the grid-side meter counts in each slot: the chargers, their cables' loss and the auxiliary load."""
    loss = station.station.loss
    grid = []
    for place in range(len(chargers[CHARGERS[0]])):
        watts = [chargers[number][place] / 1000 * 4 for number in CHARGERS]
        squares = sum(power**2 for power in watts) * float(loss.branch_ohm) * 1.1
        lost = (squares + sum(watts) ** 2 * float(loss.trunk_ohm) * 1.02) / float(loss.line_voltage_v) ** 2
        load = float(station.station.auxiliary.load_w)
        grid.append(sum(chargers[number][place] for number in CHARGERS) + round((lost + load) * 250))
    return grid


def rows(
    meter: int, values: Iterable[int], *, start_ms: int = DAY_MS, total: int = 0, step: int = STEP
) -> list[IntervalRow]:
    """Return a meter's intervals, its registers cut to a step as registers are; values below 0 are fed back."""
    result: list[IntervalRow] = []
    true, back = total, 0
    for place, value in enumerate(values):
        true, back = true + max(value, 0), back + max(-value, 0)
        now, reverse = true // step * step, back // step * step
        result.append(
            IntervalRow(
                start_ms=start_ms + place * SLOT_MS,
                meter=meter,
                journal=1,
                sequence=meter * 10_000 + place,
                duration_ms=SLOT_MS,
                forward_mwh=now - total,
                reverse_mwh=reverse - (result[-1].reverse_total_mwh if result else 0),
                forward_total_mwh=now,
                reverse_total_mwh=reverse,
                factor=None,
                factor_quality=3,
                carbon_forward_ug=0,
                carbon_reverse_ug=0,
                carbon_forward_total_ug=0,
                carbon_reverse_total_ug=0,
                readings=15,
                quality=int(Quality.MEASURED),
            )
        )
        total = now
    return result


@dataclass
class Bench:
    """A station's day that a test changes before it is judged."""

    seed: int = 1
    station: Context = field(default_factory=context)
    rows: dict[int, list[IntervalRow]] = field(default_factory=dict)
    history: dict[int, dict[int, int]] = field(default_factory=dict)
    given_back: dict[int, dict[int, int]] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    freezes: list[FreezeRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    offsets: dict[str, dict[str, int]] = field(default_factory=dict)
    estimated: dict[int, frozenset[int]] = field(default_factory=dict)
    before: list[IntervalRow] = field(default_factory=list)
    unmeasured: dict[int, frozenset[int]] = field(default_factory=dict)
    after: dict[int, list[IntervalRow]] = field(default_factory=dict)
    later: list[EventRow] = field(default_factory=list)
    slots: int = SLOTS

    def __post_init__(self) -> None:
        for number, values in energies(self.seed, self.station, self.slots).items():
            self.rows[number] = rows(number, values)
        for days in range(1, 6):
            for number, values in energies(self.seed + 1000 * days, self.station).items():
                begin = DAY_MS - days * SLOTS * SLOT_MS
                found = {begin + place * SLOT_MS: value for place, value in enumerate(values) if value}
                self.history.setdefault(number, {}).update(found)
        self.messages = [
            MessageRow("gw1", DAY_MS + hour * 3_600_000, DAY_MS + hour * 3_600_000 + 300, 1) for hour in range(24)
        ]

    def change(self, meter: int, change: Callable[[int, IntervalRow], IntervalRow | None]) -> None:
        """Replace a meter's intervals by what `change` makes of them; None takes one out."""
        found = [change(place, row) for place, row in enumerate(self.rows[meter])]
        self.rows[meter] = [row for row in found if row is not None]

    def counted(self, meter: int) -> list[int]:
        """Return what a meter truly counts, in order of time."""
        return energies(self.seed, self.station, self.slots)[meter]

    def register(self, meter: int, **changes: object) -> None:
        """Let the registry say something else of a meter."""
        self.station.meters[meter] = self.station.meters[meter].model_copy(update=changes)

    def balance(self) -> None:
        """Let the grid side count what the chargers do now, with loss and auxiliary load."""
        values = {number: [row.forward_mwh - row.reverse_mwh for row in self.rows[number]] for number in CHARGERS}
        self.recount(GRID, grid_side(self.station, values))

    def recount(self, meter: int, values: Iterable[int]) -> None:
        """Let a meter count other energies."""
        self.rows[meter] = rows(meter, values)

    def window(self) -> Window:
        """Return what the rules see."""
        everything = sorted(row for found in self.rows.values() for row in found)
        slots = []
        previous: list[IntervalRow] = []
        for place in range(self.slots):
            start = DAY_MS + place * SLOT_MS
            present = [row for row in everything if row.start_ms - row.start_ms % SLOT_MS == start]
            slots.append(Slot(start, present, previous, past_deadline=True, expected=True))
            previous = present
        return Window(
            self.station,
            DAY_MS,
            DAY_MS + self.slots * SLOT_MS,
            slots,
            self.history,
            self.freezes,
            self.events,
            self.messages,
            self.offsets,
            self.estimated,
            before=self.before,
            unmeasured=self.unmeasured,
            given_back=self.given_back,
            after=self.after,
            later=self.later,
        )


def hourly(bench: Bench, *meters: int, length: int = 4) -> None:
    """Let meters report so many slots at a time, as the registry says."""
    for number in meters:
        bench.register(number, interval_s=length * 900)
        groups = [bench.rows[number][place : place + length] for place in range(0, SLOTS, length)]
        bench.rows[number] = [
            group[-1]._replace(
                start_ms=group[0].start_ms,
                duration_ms=length * SLOT_MS,
                forward_mwh=sum(row.forward_mwh for row in group),
            )
            for group in groups
        ]
