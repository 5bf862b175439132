"""The last days of a month of a station, as one station's meters and its gateway tell of them; faults are seeded in."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import attrgetter

from checks_support import GRACE_MS, KWH, Centre
from receiver_support import FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine, insert

from cloud_receiver import database, schema
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry
from cloud_receiver.validation.config import Validation
from diantan_core import next_day_start_ms
from wire.records import (
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)

JULY_30_MS = 1_785_340_800_000  # 2026-07-30 00:00 +08:00
CHARGERS = ("C01", "C02")
DEVICE = "C01"
"""This one has carbon registers of its own, which stand elsewhere than the gateway's."""
OWN_UG = 777_000_000
STEP = 10_000

Key = tuple[str, int]
"""A meter and the number of a slot."""


@dataclass
class Days:
    """Two days and the slot after them; what flowed, and what is told of it."""

    first_ms: int = JULY_30_MS
    timezone: str = "Asia/Shanghai"
    seed: int = 1
    flow: dict[str, list[tuple[int, int]]] = field(init=False)
    """(forward, reverse) in mWh by charger."""
    extra: dict[Key, int] = field(default_factory=dict)
    """What a meter counts forward in a slot that never flowed, in mWh."""
    gain: dict[str, int] = field(default_factory=dict)
    """Error of a meter in thousandths."""
    factor: dict[str, int] = field(default_factory=dict)
    """What a meter's gateway uses, where that is not the one dispatched."""
    device_gain: int = 0
    """Error of the device's own carbon in thousandths."""
    changes: list[Callable[[Key, IntervalRecord], IntervalRecord | None]] = field(default_factory=list)
    """What becomes of intervals after they were counted."""
    frozen: Callable[[FreezeRecord], FreezeRecord] = lambda each: each
    more: list[Record] = field(default_factory=list)
    station: dict[str, object] = field(default_factory=dict)
    meters: dict[str, dict[str, object]] = field(default_factory=dict)
    """What the registry says of meters beside the usual."""

    def __post_init__(self) -> None:
        """Let the chargers come and go."""
        draw = random.Random(self.seed)
        self.flow = {}
        for name in CHARGERS:
            values: list[tuple[int, int]] = []
            while len(values) < self.slots:
                values += [(0, 0)] * draw.randrange(1, 6) + [(draw.randrange(8, 15) * KWH, 0)] * draw.randrange(2, 7)
            self.flow[name] = values[: self.slots]

    @property
    def midnights(self) -> list[int]:
        """The three midnights of the two days."""
        second = next_day_start_ms(self.first_ms, self.timezone)
        return [self.first_ms, second, next_day_start_ms(second, self.timezone)]

    @property
    def slots(self) -> int:
        """How many slots are told of."""
        return (self.midnights[-1] - self.first_ms) // SLOT_MS + 1

    def intervals(self) -> dict[Key, IntervalRecord]:
        """Return what the meters count, cut to their steps, and the carbon of it."""
        grid = [
            tuple(sum(each) for each in zip(*pairs, strict=True)) for pairs in zip(*self.flow.values(), strict=True)
        ]
        result = {}
        for name, flow in [*self.flow.items(), ("G", grid)]:
            true, shown, carbon = [5 * KWH] * 2, [5 * KWH] * 2, [0, 0]
            factor = self.factor.get(name, FACTOR)
            for number, pair in enumerate(flow):
                true = [
                    before + amount * (1000 + self.gain.get(name, 0)) // 1000
                    for before, amount in zip(true, pair, strict=True)
                ]
                true[0] += self.extra.get((name, number), 0)
                after = [value // STEP * STEP for value in true]
                energy = [new - old for new, old in zip(after, shown, strict=True)]
                added = [amount * factor // 1000 for amount in energy]
                carbon = [before + amount for before, amount in zip(carbon, added, strict=True)]
                result[name, number] = IntervalRecord(
                    *(name, self.first_ms + number * SLOT_MS, SLOT_MS, *energy, *after),
                    *(factor, FactorQuality.DISPATCHED, *added, *carbon, 15, Quality.MEASURED),
                )
                shown = after
        return result

    def freezes(self, intervals: dict[Key, IntervalRecord]) -> Iterable[FreezeRecord]:
        """Return the gateway's freezes, and the device's own."""
        for (name, _), each in intervals.items():
            end_ms = each.start_ms + SLOT_MS
            if end_ms not in self.midnights:
                continue
            total = (each.forward_total_mwh, each.reverse_total_mwh)
            carbon = (each.carbon_forward_total_ug, each.carbon_reverse_total_ug)
            yield FreezeRecord(name, end_ms, FreezeKind.DAILY, *total, *carbon, FreezeSource.GATEWAY_MEASURED)
            if name == DEVICE:
                own = OWN_UG + carbon[0] * (1000 + self.device_gain) // 1000
                yield FreezeRecord(name, end_ms, FreezeKind.DAILY, *total, own, carbon[1], FreezeSource.METER)

    def at_first(self) -> Iterable[FreezeRecord]:
        """Return the freezes of the first midnight, before which nothing was told."""
        for name in (*CHARGERS, "G"):
            total = (5 * KWH, 5 * KWH, 0, 0)
            yield FreezeRecord(name, self.first_ms, FreezeKind.DAILY, *total, FreezeSource.GATEWAY_MEASURED)
            if name == DEVICE:
                own = (5 * KWH, 5 * KWH, OWN_UG, 0)
                yield FreezeRecord(name, self.first_ms, FreezeKind.DAILY, *own, FreezeSource.METER)

    def records(self) -> list[Record]:
        """Return everything that the gateway sends, in order of time."""
        counted = self.intervals()
        told: list[IntervalRecord] = []
        for key, each in counted.items():
            item: IntervalRecord | None = each
            for change in self.changes:
                item = None if item is None else change(key, item)
            if item is not None:
                told.append(item)
        frozen = [self.frozen(each) for each in (*self.at_first(), *self.freezes(counted))]
        return [*sorted(told, key=attrgetter("start_ms")), *frozen, *self.more]

    def registry(self) -> Registry:
        """Return the station as it is registered, from the first day on."""
        since = datetime.fromtimestamp(self.first_ms / 1000, UTC)
        station = station_model(len(CHARGERS), since=since, timezone=self.timezone, **self.station)
        meters = tuple(
            type(meter).model_validate(meter.model_dump(exclude_unset=True) | self.meters.get(meter.id, {}))
            for meter in station.meter
        )
        return Registry(station=(station.model_copy(update={"meter": meters}),))

    def change(self, name: str, slots: Iterable[int], **values: object) -> None:
        """Have some intervals say something else."""
        there = set(slots)
        self.changes.append(
            lambda key, each: replace(each, **values) if key[0] == name and key[1] in there else each  # type: ignore[arg-type] # any field
        )

    def drop(self, name: str, slots: Iterable[int]) -> None:
        """Lose some intervals."""
        there = set(slots)
        self.changes.append(lambda key, each: None if key[0] == name and key[1] in there else each)

    def busy(self, name: str, after: int = 0) -> int:
        """Return the first slot from `after` on in which a charger charges."""
        return next(place for place, pair in enumerate(self.flow[name]) if place >= after and any(pair))

    def centre(self, engine: Engine, gateway: FakeGateway, **settings: object) -> Centre:
        """Return a centre that looks at it when the month is over and everything has come; validation is off."""
        centre = Centre(engine, gateway, self.registry())
        centre.settings = Checks.model_validate(settings)
        centre.clock.wall_ms = self.midnights[-1] + SLOT_MS + GRACE_MS
        off = Validation(enabled=False)
        centre.runner = Runner(engine, centre.registry, centre.clock, centre.settings, validation=off)
        with database.writing(engine) as connection:
            connection.execute(
                insert(schema.factor),
                [
                    {"node": "node1", "start_ms": self.first_ms + number * SLOT_MS, "issued_ms": self.first_ms}
                    | {"slot_ms": SLOT_MS, "factor": FACTOR, "solve_id": b"x"}
                    for number in range(-1, self.slots)
                ],
            )
        return centre
