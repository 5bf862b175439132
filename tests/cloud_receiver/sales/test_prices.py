"""The tariffs in force in a time, on days on which clocks change too."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sales_support import HOUR_MS, KWH, MINUTE_MS, order
from window_support import context, window

from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Tariff
from cloud_receiver.sales.amounts import amounts
from cloud_receiver.sales.prices import in_force

OSLO, SHANGHAI, LORD_HOWE = "Europe/Oslo", "Asia/Shanghai", "Australia/Lord_Howe"
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=ZoneInfo(OSLO)), datetime(2026, 10, 25, tzinfo=ZoneInfo(OSLO))
DAY, NIGHT = Decimal("1.2"), Decimal("0.4")
TARIFF = (Tariff(begin="08:00", end="22:00", price=DAY), Tariff(begin="22:00", end="08:00", price=NIGHT))


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


@pytest.mark.parametrize("zone", [OSLO, SHANGHAI, LORD_HOWE])
def test_the_tariffs_of_a_time_are_those_of_any_of_its_minutes(zone: str) -> None:
    draw = random.Random(zone)
    local = ZoneInfo(zone)
    changes = [SPRING, AUTUMN, datetime(2026, 4, 5, tzinfo=local), datetime(2026, 10, 4, tzinfo=local)]
    for _ in range(150):
        day_ms = ms(draw.choice(changes))
        begin, end = (f"{draw.choice([0, 1, 2, 3, 8])}".zfill(2) + draw.choice([":00", ":30"]) for _ in range(2))
        since = draw.choice([None, datetime.fromtimestamp(day_ms / 1000 + draw.randrange(0, 86_400, 60), UTC)])
        until = draw.choice([None, datetime.fromtimestamp(day_ms / 1000 + draw.randrange(0, 86_400, 60), UTC)])
        tariff = Tariff(begin=begin, end=end, price=Decimal(1), since=since, until=until)
        first = day_ms + draw.randrange(-120, 360) * MINUTE_MS
        last = first + draw.choice([1, 20, 60, 300, 1500, 4000]) * MINUTE_MS
        expected = False
        for time_ms in range(first, last, MINUTE_MS):
            at = datetime.fromtimestamp(time_ms / 1000, local)
            expected = expected or tariff.applies(time_ms, at.hour * 60 + at.minute)
        assert bool(in_force((tariff,), first, last, zone)) is expected, (tariff, first, last)


def test_a_price_that_begins_in_the_second_of_two_hours_of_one_name() -> None:
    second = ms(datetime(2026, 10, 25, 2, 45, fold=1, tzinfo=ZoneInfo(OSLO)))
    late = Tariff(begin="02:45", end="10:45", price=DAY)
    assert in_force((late,), second - 3 * MINUTE_MS, second + HOUR_MS, OSLO) == [late]
    assert in_force((late,), second - 3 * MINUTE_MS, second - MINUTE_MS, OSLO) == []
    first = second - HOUR_MS
    assert in_force((late,), first - 3 * MINUTE_MS, first + MINUTE_MS, OSLO) == [late]


def oslo() -> Context:
    found = context(tariff=TARIFF)
    return replace(found, station=found.station.model_copy(update={"timezone": OSLO}))


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize(("hour", "price"), [(7, NIGHT), (8, DAY), (21, DAY), (22, NIGHT)])
def test_an_honest_order_on_the_day_clocks_change(day: datetime, hour: int, price: Decimal) -> None:
    start = ms(day.replace(hour=hour, minute=10))
    right = order(start_ms=start, end_ms=start + HOUR_MS // 2, energy_mwh=10 * KWH)
    for told, accused in ((price, False), (DAY + NIGHT - price, True)):
        item = replace(right, electricity_amount=int(10 * told * 10_000))
        at = window({1: [item]}, station=oslo())
        at.first_ms, at.end_ms = ms(day), ms(day) + 26 * HOUR_MS
        assert bool(list(amounts(at))) is accused
