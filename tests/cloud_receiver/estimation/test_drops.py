"""Branches measured by voltage drop: what that is worth, and what no gateway can do with it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sin
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cycle_support import SELDOM
from drops_support import DESIGN, LINE_V, RATED_KW, Wired, blocks_of, filled, means_of, sent, wired
from estimation_support import DAY, LENGTH, Site
from sqlalchemy import delete, update

from clock import Clock
from cloud_receiver import database
from cloud_receiver.checks.model import Context
from cloud_receiver.estimation import store, text
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.model import Facts, setup
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import Done, estimate
from cloud_receiver.estimation.windows import build
from cloud_receiver.schema import error_state, event
from wire.voltage_means import VoltageMean

ODD = (1.0, 2.6, 0.3, 1.3, 0.6, 1.6)
"""What branches lose, in designs."""
ERRORS = (0.002, 0.0, -0.003, 0.001, 0.004, -0.001)
DAYS = 10
END = DAY + DAYS * LENGTH
SETTINGS = Estimation(days=DAYS, full_every_days=SELDOM, share_percent=100)


def plant_of(times: Sequence[float] = ODD, **changes: Any) -> Wired:
    return Wired([DESIGN * one for one in times], **changes)


PLANT = plant_of()


def said(site: Site, settings: Estimation = SETTINGS, end_ms: int = END) -> StationResult:
    return estimate(site.engine, site.context(), settings, DAY, end_ms).result


def off(found: StationResult) -> list[float]:
    """Return by how much each error is wrong, less what all have in common; per cent."""
    wrong = [one.error - 100 * error for one, error in zip(found.chargers, ERRORS, strict=True)]
    return [one - sum(wrong) / len(wrong) for one in wrong]


def reasons(found: StationResult) -> list[str | None]:
    return [None if one.branch is None else one.branch.reason for one in found.chargers]


def test_measured_branches_tell_loss_from_error(site: Site) -> None:
    site.enter(wired(6))
    filled(site, PLANT, ERRORS)
    found = said(site)
    without = said(site, Estimation(days=DAYS, voltage_drop=False))
    assert reasons(found) == [None] * 6
    for one, times in zip(found.chargers, ODD, strict=True):
        assert one.branch is not None
        assert one.branch.percent is not None
        assert one.branch.u is not None
        assert one.branch.percent == pytest.approx(100 * RATED_KW * DESIGN * times, abs=3 * one.branch.u)
        assert one.branch.quarters > 900
    assert max(map(abs, off(found))) < 0.08
    assert max(map(abs, off(without))) > 0.3
    assert max(one.u_own for one in found.chargers) < min(one.u_own for one in without.chargers)
    assert [one.branch for one in without.chargers] == [None] * 6
    assert found.voltage_blocks is not None
    assert (found.voltage_blocks.used, found.voltage_blocks.left_out) == (7 * DAYS * 2, {})


def test_a_loose_connection_is_named_and_its_charger_is_right(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.enter(wired(6))
    numbers = filled(site, plant_of((1.0, 5.0, 0.9, 1.2, 1.1, 1.0)), ERRORS)
    found = said(site)
    [hot] = [item for item in found.findings if item.name == "hot_branch"]
    assert (hot.meters, hot.blocks) == (("C02",), False)
    assert hot.numbers["percent"] == pytest.approx(100 * RATED_KW * 5 * DESIGN, rel=0.1)
    assert hot.numbers["usual_percent"] == pytest.approx(100 * RATED_KW * DESIGN, rel=0.2)
    assert max(map(abs, off(found))) < 0.15
    assert {one.number for one in found.chargers if one.decision == "flag"} == set()
    # A day that is added says so as well.
    done = nights(site, DAYS - 1, DAYS)
    assert [item.full for item in done] == [True, False]
    assert [[item.meters for item in one.findings if item.name == "hot_branch"] for one in done] == [[("C02",)]] * 2
    assert caplog.messages.count("station S1: the branch of C02 loses far more than it should") == 1
    assert numbers[1] in {one.number for one in done[1].chargers}


@dataclass
class Hands:
    """A clock that stands until it is set."""

    time_ms: int

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms


class Told(Nights):
    """A nightly run that remembers what it said."""

    said: list[StationResult]

    async def _keep(self, made: Sequence[tuple[Context, Done]]) -> None:
        self.said.extend(done.result for _, done in made)
        await super()._keep(made)


def nights(site: Site, *days: int, settings: Estimation = SETTINGS) -> list[StationResult]:
    """Run nights after so many days, each as after a restart; return what was said."""
    found: list[StationResult] = []
    for day in days:
        hands: Any = Hands(DAY + day * LENGTH + 9_000_000)
        clock: Clock = hands
        night = Told(site.engine, site.registry, clock, settings)
        night.said = found
        assert asyncio.run(night.round()) == 1
    return found


def test_a_day_that_is_added_goes_on_with_the_branches_that_were_measured(site: Site) -> None:
    site.enter(wired(6))
    numbers = filled(site, PLANT, ERRORS)
    [first] = nights(site, DAYS - 1)
    # Means of voltage that come late, or are lost, change nothing before all windows are taken again.
    with database.writing(site.engine) as connection:
        connection.execute(delete(event).where(event.c.meter == numbers[0]))
    sent(site, numbers[1], blocks_of(means_of([230.0] * 96, [0.0] * 96)), journal=5)
    [second] = nights(site, DAYS)
    assert (first.full, second.full) == (True, False)
    assert reasons(first) == [None] * 6
    assert [one.branch for one in second.chargers] == [one.branch for one in first.chargers]
    assert second.voltage_blocks == first.voltage_blocks
    assert all(after.u_own < 0.11 for after in second.chargers)


def test_a_branch_that_loses_more_than_weeks_ago_is_named(site: Site) -> None:
    times = [*ODD[:5], 1.0]
    later = [DESIGN * one for one in (*ODD[:5], 1.9)]
    site.enter(wired(6))
    filled(site, plant_of(times, days=12, later=(6 * 1440, later)), ERRORS)
    settings = Estimation(days=5, full_every_days=1, share_percent=100, branch_alarm_factor=Decimal(50))
    found = nights(site, 6, 9, 12, settings=settings)
    hot = [[item for item in one.findings if item.name == "hot_branch"] for one in found]
    assert (hot[0], [item.meters for item in hot[2]]) == ([], [("C06",)])
    numbers = hot[2][0].numbers
    assert numbers["percent"] == pytest.approx(100 * RATED_KW * 1.9 * DESIGN, rel=0.05)
    assert numbers["before_percent"] == pytest.approx(100 * RATED_KW * DESIGN, rel=0.05)


def test_what_is_measured_is_told_in_report_and_json(site: Site) -> None:
    site.enter(wired(6))
    numbers = filled(site, plant_of((1.0, 5.0, 0.9, 1.2, 1.1, 1.0)), ERRORS)
    with database.writing(site.engine) as connection:
        connection.execute(update(event).where(event.c.meter == numbers[2]).values(details='{"36": "junk"}'))
    found = said(site)
    report = text.report(found, ZoneInfo("Asia/Shanghai"))
    assert "branches 支路: 5/6 measured by voltage drop 由电压降测得" in report
    assert "loss at rated power 额定功率下损耗 1.49 %, u 0.06 %" in report
    assert "  no voltages 无电压数据: C03\n" in report
    assert "弃用的电压数据块 (malformed 20)" in report
    assert "loose connection? 支路损耗异常：接触不良？: C02 (percent 6.7" in report
    assert "inspect its connections" in report
    content = json.loads(json.dumps(found.content(series=False)))
    branch = content["chargers"][1]["branch"]
    told = {"percent", "u", "milliohm", "quarters", "reference", "reason", "balance", "uneven_percent", "uneven_u"}
    assert set(branch) == told
    # 9 kW and one voltage: nobody knows how its load stands on three phases.
    assert (branch["balance"], branch["uneven_percent"], branch["uneven_u"]) == ("unknown", None, None)
    assert "not known whether loads stand evenly on the phases" in report
    assert (branch["reference"], branch["reason"]) == ("mean", None)
    assert branch["milliohm"] == pytest.approx(5 * DESIGN * LINE_V**2, rel=0.02)
    assert content["chargers"][2]["branch"]["percent"] is None
    assert content["voltage_blocks"] == {"used": 6 * 20, "left_out": {"malformed": 20}, "kept_from_ms": None}
    off = text.report(said(site, Estimation(days=DAYS, voltage_drop=False)), ZoneInfo("Asia/Shanghai"))
    assert "支路" not in off


def test_a_day_added_says_what_all_windows_say_with_these_branches(site: Site) -> None:
    site.enter(wired(6))
    filled(site, PLANT, ERRORS)
    _, second = nights(site, DAYS - 1, DAYS, settings=SETTINGS.model_copy(update={"days": DAYS - 1}))
    assert not second.full
    context = site.context()
    with database.reading(site.engine) as connection:
        branches = store.branches_of(connection, context.number)
    registers = Registers()
    registers.add(PLANT.rows(site.numbers(), ERRORS))
    made = setup(context, SETTINGS, Facts(), DAY, END - LENGTH, branches=branches)
    first = build(context, registers, DAY, END - LENGTH, made.chargers)
    sums = made.estimator.begin(made.estimator.estimate(first.windows))
    sums.push(build(context, registers, DAY, END, made.chargers).windows)
    expected = sums.estimate()
    assert second.windows == expected.windows == DAYS * 96
    assert [(one.error, one.u, one.probability) for one in second.chargers] == [
        (100 * one.error, 100 * one.u, one.probability) for one in expected.chargers
    ]


@pytest.mark.parametrize("kept", ["", "{}", '{"by_meter": {"1": {"ohm": 2}}}'])
def test_a_state_of_an_older_version_makes_the_night_measure(site: Site, kept: str) -> None:
    site.enter(wired(6))
    filled(site, PLANT, ERRORS)
    nights(site, DAYS - 1)
    with database.writing(site.engine) as connection:
        connection.execute(update(error_state).values(branches=kept))
    [found] = nights(site, DAYS)
    assert found.full
    assert reasons(found) == [None] * 6
    with database.reading(site.engine) as connection:
        assert set(store.branches_of(connection, site.context().number).by_meter) == set(site.numbers()[:-1])


def test_switching_it_off_makes_the_night_take_all_windows(site: Site) -> None:
    site.enter(wired(6))
    filled(site, PLANT, ERRORS)
    nights(site, DAYS - 1)
    [found] = nights(site, DAYS, settings=Estimation(days=DAYS, share_percent=100, voltage_drop=False))
    assert (found.full, reasons(found), found.voltage_blocks) == (True, [None] * 6, None)


def test_without_means_of_voltage_it_says_so_and_goes_on(site: Site) -> None:
    site.enter(wired(6))
    filled(site, PLANT, ERRORS, voltages=False)
    found = said(site)
    without = said(site, Estimation(days=DAYS, voltage_drop=False))
    assert reasons(found) == ["no_voltages"] * 6
    assert [(one.error, one.u) for one in found.chargers] == [(one.error, one.u) for one in without.chargers]
    report = text.report(found, ZoneInfo("Asia/Shanghai"))
    assert "branches 支路: 0/6 measured by voltage drop 由电压降测得\n  no voltages 无电压数据\n" in report + "\n"


def test_chargers_beside_a_silent_master_know_the_bus_by_each_other(site: Site) -> None:
    site.enter(wired(6))
    numbers = filled(site, PLANT, ERRORS, voltages=False)
    for place, number in enumerate(numbers[:6]):
        sent(site, number, blocks_of(PLANT.means(place)), first=1_000_000 * (place + 1))
    found = said(site)
    assert reasons(found) == [None] * 6
    for one, times in zip(found.chargers, ODD, strict=True):
        assert one.branch is not None
        assert one.branch.percent == pytest.approx(100 * RATED_KW * DESIGN * times, abs=0.3)


def test_beside_several_masters_nobody_knows_whose_bus_it_is(site: Site) -> None:
    base = wired(6)
    *chargers, grid = base.meter
    site.enter(base.model_copy(update={"meter": (*chargers, grid.model_copy(update={"id": "H"}), grid)}))
    numbers = site.numbers()
    rows = PLANT.rows([*numbers[:6], numbers[7]], ERRORS)
    spare = [row._replace(meter=numbers[6], journal=99, forward_mwh=0, forward_total_mwh=0) for row in rows[6::7]]
    site.store(sorted([*rows, *spare]))
    for place, number in enumerate(numbers[:6]):
        sent(site, number, blocks_of(PLANT.means(place)), first=1_000_000 * (place + 1))
    assert reasons(said(site)) == ["several_masters"] * 6


@pytest.mark.parametrize("master", ["by phase", "their mean", "silent"])
def test_a_charger_on_one_phase_is_measured_beside_that_phase_only(site: Site, master: str) -> None:
    base = wired(6)
    *chargers, grid = base.meter
    single = [meter.model_copy(update={"rated_kw": Decimal(7)}) for meter in chargers[:3]]
    site.enter(base.model_copy(update={"meter": (*single, *chargers[3:], grid)}))
    numbers = filled(site, PLANT, ERRORS, voltages=False)
    # The phases wander apart; of the chargers, the last three feel the mean of them.
    swings = [[1 + 0.004 * sin(quarter / 7 + 2.1 * phase) for quarter in range(DAYS * 96)] for phase in range(3)]
    level = PLANT.voltage(6)
    phases = [[volt * by for volt, by in zip(level, own, strict=True)] for own in swings]
    for place, number in enumerate(numbers[:6]):
        own = swings[place] if place < 3 else [sum(each) / 3 for each in zip(*swings, strict=True)]
        volts = [volt * by for volt, by in zip(PLANT.voltage(place), own, strict=True)]
        sent(site, number, blocks_of(means_of(volts, PLANT.kilowatts(place))), first=1_000_000 * (place + 1))
    columns = phases if master == "by phase" else [[sum(each) / 3 for each in zip(*phases, strict=True)]]
    if master != "silent":
        means = [
            VoltageMean(tuple(round(100 * volt) * 10 for volt in volts), round(1000 * kw) * 1000)
            for *volts, kw in zip(*columns, PLANT.kilowatts(6), strict=True)
        ]
        sent(site, numbers[6], blocks_of(means), first=9_000_000)
    found = said(site)
    known = master == "by phase"
    assert reasons(found) == [None if known else "no_phase"] * 3 + [None] * 3
    for place, (one, times) in enumerate(zip(found.chargers, ODD, strict=True)):
        assert one.branch is not None
        if one.branch.reason is None:
            assert one.branch.reference == ("abc"[place] if place < 3 else "mean")
            rated = 7 if place < 3 else RATED_KW
            assert one.branch.percent == pytest.approx(100 * rated * DESIGN * times, abs=0.3)


def test_a_charger_that_meters_its_output_has_no_drop(site: Site) -> None:
    base = wired(6)
    first, *others = base.meter
    site.enter(base.model_copy(update={"meter": (first.model_copy(update={"dc_output": True}), *others)}))
    filled(site, PLANT, ERRORS)
    assert reasons(said(site)) == ["dc_output", *[None] * 5]


def test_a_charger_is_switched_off_in_the_registry(site: Site) -> None:
    base = wired(6)
    first, *others = base.meter
    site.enter(base.model_copy(update={"meter": (first.model_copy(update={"voltage_drop": False}), *others)}))
    filled(site, PLANT, ERRORS)
    assert reasons(said(site)) == ["switched_off", *[None] * 5]


def test_blocks_that_come_twice_or_in_pieces_say_the_same(site: Site) -> None:
    site.enter(wired(6))
    numbers = filled(site, PLANT, ERRORS)
    once = said(site)
    for place, number in enumerate(numbers):
        means = PLANT.means(place)
        sent(site, number, blocks_of(means), journal=2)
        sent(site, number, blocks_of(means, 7), journal=3)
    again = said(site)
    assert [one.branch for one in again.chargers] == [one.branch for one in once.chargers]
    assert [(one.error, one.u) for one in again.chargers] == [(one.error, one.u) for one in once.chargers]


def test_blocks_that_are_none_are_left_out_and_told(site: Site) -> None:
    site.enter(wired(6))
    numbers = filled(site, PLANT, ERRORS)
    with database.writing(site.engine) as connection:
        connection.execute(update(event).where(event.c.meter == numbers[2]).values(details='{"36": "junk"}'))
    found = said(site)
    assert found.voltage_blocks is not None
    assert found.voltage_blocks.left_out == {"malformed": 2 * DAYS}
    assert reasons(found) == [None, None, "no_voltages", None, None, None]
