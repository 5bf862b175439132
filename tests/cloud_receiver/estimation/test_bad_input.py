"""Bad input through the centre: recognised, named in report, JSON and stored nights, and never a wrong decision."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from estimation_support import DAY, LENGTH, Site
from faults_support import (
    ALTERED,
    DAYS,
    END,
    SOUND,
    Make,
    Station,
    at_midnight,
    discharging,
    exchanges,
    hours,
    inventing,
    joining,
    marked,
    master_of,
    never,
    of_plant,
    pump,
    restarting,
    reversed_charger,
    reversed_master,
    silent,
    storage,
    sun,
    told,
    twins,
    verified,
    without,
)
from plant_support import Plant
from receiver_support import station_model
from site_files_support import options_at, write_files
from sqlalchemy import select

from clock import Clock
from cloud_receiver import database
from cloud_receiver.checks.model import STATION
from cloud_receiver.cli import main
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.run import estimate
from cloud_receiver.registry import Meter, Role
from cloud_receiver.schema import error_estimate
from wire.records import Quality

LIMIT = 0.01


class Case(NamedTuple):
    """`names`: findings and the meters that they are about; `decided`: what is said of C01 to C05."""

    make: Make
    errors: Sequence[float]
    names: dict[str, tuple[str, ...]]
    decided: str
    """c: clear, f: flag, u: undetermined, ?: not asked, but it may not be wrong."""


NOBODY = "uuuuu"
CASES = {
    "nothing wrong": Case(of_plant(), ALTERED, {}, "cfccc"),
    "fewer windows than unknowns": Case(hours(0, 8), ALTERED, {"few_windows": ()}, NOBODY),
    "a charger that never charged": Case(never, SOUND, {"never_charged": ("C02",)}, "cuccc"),
    "identical patterns": Case(twins(0.0, 0.04), (0, 0.04, 0, 0, 0), {"collinear": ("C01", "C02")}, "uuccc"),
    "identical patterns, errors that cancel": Case(
        twins(0.04, -0.04), (0.04, -0.04, 0, 0, 0), {"collinear": ("C01", "C02")}, "uuccc"
    ),
    "a load that no meter has": Case(of_plant(SOUND, unmetered=pump), SOUND, {"unexplained_load": ()}, NOBODY),
    "a charger that the master misses": Case(master_of(missing=(0,)), ALTERED, {"implausible": ("C01",)}, "u????"),
    "wrong CT ratio": Case(master_of(-0.2), ALTERED, {"gain": ()}, NOBODY),
    "master far from its class": Case(master_of(0.015, errors=SOUND), SOUND, {"level": ()}, NOBODY),
    "all chargers wrong alike": Case(
        of_plant((0.015, 0.017, 0.013, 0.016, 0.014)), (0.015,) * 5, {"level": ()}, NOBODY
    ),
    "wrong certificate of the master": Case(
        verified(-1, "0.1", master_of(0.015, errors=SOUND)), SOUND, {"level": ()}, NOBODY
    ),
    "altered after its verification": Case(
        verified(1, "0.1", of_plant()), ALTERED, {"verification_contradicted": ("C02",)}, "cfccc"
    ),
    "master wrong, a charger verified": Case(
        verified(0, "0.1", master_of(0.015, errors=SOUND)), SOUND, {"level": ()}, "ccccc"
    ),
    "orders under each other's names": Case(told(1, 0, 2, 3, 4), ALTERED, {"swapped": ("C01", "C02")}, "cfccc"),
    "orders at other times": Case(told(0, 1, 2, 3, 4, shift_h=6), ALTERED, {"orders_not_borne_out": ("C02",)}, "cfccc"),
    "a charger the wrong way round": Case(reversed_charger, SOUND, {"negative": ("C03",)}, "??u??"),
    "the master the wrong way round": Case(reversed_master, SOUND, {"gain": ()}, NOBODY),
    "a clock hours off": Case(of_plant(SOUND, (180,)), SOUND, {"clock_shift": ("C01",)}, NOBODY),
    "all clocks an hour off": Case(of_plant(SOUND, (60,) * 5), SOUND, {"clock_shift": ("C01",)}, NOBODY),
    "PV": Case(of_plant(SOUND, unmetered=lambda minute: sun(minute, 60)), SOUND, {"generation": ()}, NOBODY),
    "a little PV": Case(of_plant(SOUND, unmetered=lambda minute: sun(minute, 6)), SOUND, {"generation": ()}, NOBODY),
    "storage": Case(of_plant(SOUND, unmetered=storage), SOUND, {"generation": ()}, NOBODY),
    "daily readings": Case(
        marked(at_midnight, Quality.ESTIMATED), ALTERED, {"few_windows": (), "rarely_read": ("C01",)}, "?????"
    ),
    "daily readings of one": Case(
        marked(at_midnight, Quality.ESTIMATED, [1]), ALTERED, {"rarely_read": ("C02",)}, "?????"
    ),
    "a charger says nothing": Case(silent(1), ALTERED, {"silent": ("C02",)}, NOBODY),
    "the master says nothing": Case(silent(-1), ALTERED, {"silent": ("G",)}, NOBODY),
    "a charger that fell silent": Case(silent(1, 6), ALTERED, {"held_up": ("C02",)}, "cfccc"),
    "a register that begins anew with every interval": Case(
        restarting(1), ALTERED, {"outside_windows": ("C02",), "began_anew": ("C02",), "held_up": ("C02",)}, "cuccc"
    ),
    "a register that begins anew every half an hour": Case(
        restarting(2), ALTERED, {"outside_windows": ("C02",), "began_anew": ("C02",)}, "cfccc"
    ),
    "a register that begins anew every day": Case(restarting(96), ALTERED, {"began_anew": ("C02",)}, "cfccc"),
    "intervals without their energy while it charges": Case(
        marked(lambda row: not row.forward_mwh, Quality.PARTIAL, [1]), ALTERED, {"outside_windows": ("C02",)}, "cuccc"
    ),
    "estimated intervals while it charges": Case(
        marked(lambda row: not row.forward_mwh, Quality.ESTIMATED, [1]), ALTERED, {}, "cfccc"
    ),
    "a charger that invents energy when another charges": Case(
        inventing, (0.0,) * 5, {"mirrored": ("C01", "C02")}, "?u???"
    ),
    "vehicles that give energy back": Case(discharging, ALTERED, {"excluded": ()}, "?????"),
    "a charger that came later, and nobody said when": Case(joining, ALTERED, {"held_up": ("C03",)}, "cfccc"),
    "a charger that is exchanged every night": Case(
        exchanges(1, *range(1, DAYS)), ALTERED, {"exchanged_often": ("C02",)}, "c?ccc"
    ),
    "exchanges that would take others' windows": Case(
        exchanges(0, 8.9, 8.94, 8.98), ALTERED, {"exchanged_often": ("C01",)}, "?fccc"
    ),
}
LETTERS = {"clear": "c", "flag": "f", "undetermined": "u"}


def right(said: Sequence[str], case: Case) -> None:
    """Assert that every decision is what is asked, and none wrong."""
    for place, (decision, asked, error) in enumerate(zip(said, case.decided, case.errors, strict=True)):
        assert asked in ("?", decision), (place, said)
        assert decision != "f" or abs(error) > LIMIT, (place, said)
        assert decision != "c" or abs(error) <= LIMIT, (place, said)


class Hands:
    """A clock that stands until it is set."""

    def __init__(self, now_ms: int) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms


def options(tmp_path: Path) -> list[str]:
    return options_at(write_files(tmp_path, days=10, chargers=5), END + 60_000)


@pytest.fixture
def station(site: Site) -> Station:
    site.enter(station_model(5))
    return Station(site, site.numbers())


@pytest.mark.parametrize("name", CASES)
def test_it_is_named_and_nobody_wrongly_judged(
    station: Station, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    station.site.store(sorted(case.make(station)))
    assert main(["estimate", "S1", "--json", *options(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    about = {item["name"]: set[str]() for item in found["findings"]}
    for item in found["findings"]:
        about[item["name"]] |= set(item["meters"])
    for finding, meters in case.names.items():
        assert set(meters) <= about[finding]
    if not case.names:
        assert not about
    right("".join(LETTERS[one["decision"]] for one in found["chargers"]), case)
    assert main(["estimate", "S1", *options(tmp_path)]) == 0
    report = capsys.readouterr().out
    assert ("findings 发现" in report) == bool(case.names)
    # The night before last takes all windows, the last adds a day where that says the same.
    hands: Any = Hands(END - LENGTH + 9_000_000)
    clock: Clock = hands
    nights = Nights(station.site.engine, station.site.registry, clock, Estimation(share_percent=100, days=9))
    for _ in range(2):
        assert asyncio.run(nights.round()) == 1
        with database.reading(station.site.engine) as connection:
            rows = {
                row.meter: row
                for row in connection.execute(select(error_estimate).where(error_estimate.c.made_ms == hands.time_ms))
            }
        stored = json.loads(rows[STATION].content)
        assert case.names.keys() <= {item["name"] for item in stored["findings"]}
        right("".join(LETTERS[rows[number].decision] for number in station.numbers[:-1]), case)
        hands.time_ms += LENGTH


@pytest.mark.parametrize("name", ["silent", "held_up", "level", "outside_windows"])
def test_what_stands_in_the_way_says_what_to_do(
    station: Station, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(case for case in CASES.values() if name in case.names)
    station.site.store(sorted(case.make(station)))
    assert main(["estimate", "S1", *options(tmp_path)]) == 0
    advice = {"silent": "`until`", "held_up": "gateway", "level": "verify the master", "outside_windows": "go and see"}
    assert advice[name] in capsys.readouterr().out


def metered(**changes: Any) -> list[Meter]:
    values: dict[str, Any] = {"gateway": "gw1", "rated_kw": Decimal(400), "accuracy_class": Decimal("0.5")}
    return [Meter.model_validate(values | changes)]


def test_an_hourly_master_two_masters_and_a_metered_load(site: Site) -> None:
    base = station_model(5)
    *chargers, grid = base.meter
    lamps = metered(id="A", role=Role.AUXILIARY)
    other = metered(id="H", role=Role.GRID, interval_s=3600)
    site.enter(base.model_copy(update={"meter": (*chargers, *lamps, *other, grid)}))
    numbers = site.numbers()
    plant = Plant(DAYS, unmetered=pump)
    whole = plant.master()
    load = [0.0]
    for minute in range(len(whole) - 1):
        load.append(load[-1] + pump(minute - 1440) / 60)
    part = [0.3 * energy for energy in whole]
    rows = [row for row in plant.station([*numbers[:5], numbers[-1]], ALTERED) if row.meter != numbers[-1]]
    rows += plant.rows(numbers[5], load) + plant.rows(numbers[6], part, every=4)
    rows += plant.rows(numbers[7], [all_of - own for all_of, own in zip(whole, part, strict=True)])
    site.store(sorted(rows))
    said = estimate(site.engine, site.context(), Estimation(), DAY, END).result
    assert said.windows == DAYS * 24
    assert [LETTERS[one.decision] for one in said.chargers] == list("cfccc")


def test_chargers_that_join_and_leave(site: Site) -> None:
    base = station_model(5)
    first, second, third, *others = base.meter
    noon = datetime.fromtimestamp((DAY + 5 * LENGTH) / 1000, UTC)
    joins, leaves = third.model_copy(update={"since": noon}), first.model_copy(update={"until": noon})
    site.enter(base.model_copy(update={"meter": (leaves, second, joins, *others)}))
    plant, numbers = Plant(DAYS), site.numbers()
    plant.sessions[0] = [one for one in plant.sessions[0] if one.last < 5 * 1440]
    plant.sessions[2] = [one for one in plant.sessions[2] if one.first > 5 * 1440]
    rows = without(plant.station(numbers, ALTERED), numbers[0], lambda row: row.end_ms <= DAY + 5 * LENGTH)
    site.store(sorted(without(rows, numbers[2], lambda row: row.start_ms >= DAY + 5 * LENGTH)))
    said = estimate(site.engine, site.context(), Estimation(), DAY, END).result
    assert said.windows >= DAYS * 96 - 2
    assert said.findings == ()
    assert [LETTERS[one.decision] for one in said.chargers] == list("cfccc")


def test_a_master_that_has_left_is_missed(site: Site) -> None:
    base = station_model(5)
    *chargers, grid = base.meter
    left = grid.model_copy(update={"until": datetime.fromtimestamp((DAY + 5 * LENGTH) / 1000, UTC)})
    site.enter(base.model_copy(update={"meter": (*chargers, left)}))
    site.store(sorted(of_plant()(Station(site, site.numbers()))))
    said = estimate(site.engine, site.context(), Estimation(), DAY, END).result
    assert [item.name for item in said.findings if item.blocks] == ["no_master"]
    assert {one.decision for one in said.chargers} == {"undetermined"}
