"""Chargers for three phases at which vehicles charge on one: what the centre makes of it, and what it says."""

import json
import random
from dataclasses import dataclass, replace
from decimal import Decimal
from math import exp, pi, sin
from zoneinfo import ZoneInfo

import pytest
from drops_support import DESIGN, RATED_KW, TRUNK, Wired, blocks_of, sent, wired
from estimation_support import DAY, LENGTH, Site

from cloud_receiver.estimation import text
from cloud_receiver.estimation.branch_losses import losses
from cloud_receiver.estimation.branches import Branch, Branches, decoded
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate
from wire.voltage_means import VoltageMean

SETTINGS = Estimation()
UNEVEN = Branch(DESIGN, 0.02 * DESIGN, 900, "mean", even=False, factor=3.0, uneven_loss=(0.006, 0.001))
EVEN = replace(UNEVEN, even=True, factor=1.0, uneven_loss=None)
OLD = replace(EVEN, even=None)


def told(site: Site, *found: Branch, **changes: object) -> list[tuple[float, float] | None]:
    """Return what the estimator is told of uneven loads; `found`: of the chargers, in order."""
    site.enter(wired(len(found), **changes))
    numbers = site.numbers()[:-1]
    known = Branches(dict(zip(numbers, found, strict=True)))
    return [one.uneven for one in losses(site.context(), numbers, known, SETTINGS, DESIGN)]


def test_what_voltages_say_of_an_uneven_load_is_told(site: Site) -> None:
    assert told(site, UNEVEN, EVEN, OLD) == [(0.006, 0.001), None, None]


def test_where_vehicles_are_said_to_stand_on_one_phase_anything_up_to_six_times_is_possible(site: Site) -> None:
    found = told(site, UNEVEN, EVEN, OLD, Branch(reason="no_voltages"), single_phase_vehicles=True)
    assert found[:2] == [(0.006, 0.001), None]
    for each in found[2:]:
        assert each is not None
        value, u = each
        # A vehicle on one phase takes a third of the rated power, and loses five times bP more of it.
        most = 5 * DESIGN * RATED_KW / 3
        assert value == pytest.approx(most / 2)
        assert value - 1.96 * u < 0
        assert value + 1.96 * u > most


def test_it_is_kept_and_what_was_kept_before_there_was_such_is_read() -> None:
    found = Branches({3: UNEVEN, 4: EVEN}, DAY)
    assert decoded(found.encoded()) == found
    old = found.encoded()
    for key in ('"even": false, ', '"even": true, ', '"factor": 3.0, ', '"factor": 1.0, '):
        assert key in old
        old = old.replace(key, "")
    for key in (', "uneven_loss": [0.006, 0.001]', ', "uneven_loss": null'):
        assert key in old or key[2:] in old
        old = old.replace(key, "").replace(key[2:] + ", ", "").replace(", " + key[2:], "")
    assert decoded(old) == Branches({3: replace(OLD), 4: OLD}, DAY)


LOSS = 4e-4
"""Of a branch, 1/kW: 0.9 % at 22 kW that stand evenly."""
SINGLE_KW = 7.0
DAYS = 14
ERRORS = (0.002, 0.0, -0.003, 0.001, 0.004, -0.001)


@dataclass
class Uneven(Wired):
    """Chargers of 22 kW: at the first two every second vehicle takes up to 7 kW of phase a alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for own in self.power[:2]:
            session = 0
            for minute, kw in enumerate(own):
                session += kw > 0 and not own[minute - 1]
                if session % 2:
                    own[minute] = min(kw, SINGLE_KW)
        self.master_kw = [self.through(minute) for minute in range(len(self.master_kw))]

    def more(self, charger: int, minute: int) -> float:
        """Return what a branch loses more, kW."""
        kw = self.power[charger][minute]
        return 5 * self.loss(charger, minute) * kw**2 if kw <= SINGLE_KW else 0.0

    def through(self, minute: int) -> float:
        """Return what flows through the master."""
        chargers = range(len(self.power))
        through = sum(own[minute] for own in self.power)
        through += sum(
            self.loss(one, minute) * self.power[one][minute] ** 2 + self.more(one, minute) for one in chargers
        )
        return through + TRUNK * through**2 + 0.3

    def phases(self, charger: int) -> list[VoltageMean]:
        """Return the means of each phase and of power by quarter; the master's is the last number."""
        dice = random.Random(f"9 {charger}")
        gains = [exp(dice.gauss(0, 0.003)) for _ in range(3)]
        found = []
        for quarter, kw in enumerate(self.kilowatts(charger)):
            volts = [0.0] * 3
            for minute in range(quarter * 15, quarter * 15 + 15):
                for phase in range(3):
                    mains = 230 * (1 + 0.01 * sin(2 * pi * minute / 1440) + 0.004 * sin(minute / (23 + 7 * phase)))
                    if charger < len(self.power):
                        mains /= 1 + TRUNK * self.master_kw[minute]
                        power = self.power[charger][minute]
                        fallen = self.loss(charger, minute) * power
                        more = self.more(charger, minute) / power if power else 0.0
                        mains /= 1 + fallen + (more if phase == 0 else -more / 2)
                    volts[phase] += mains / 15
            told = (gain * own * exp(dice.gauss(0, 2e-4)) for gain, own in zip(gains, volts, strict=True))
            found.append(VoltageMean(tuple(round(100 * one) * 10 for one in told), round(1000 * kw) * 1000))
        return found


PLANT = Uneven([LOSS] * 6, kw=(14, 22), days=DAYS)


def said(site: Site, *, phases: bool, **changes: object) -> StationResult:
    """Return what is said of the plant; `phases`: whether gateways tell each, or their mean."""
    site.enter(wired(6, designed=False, rated_kw=Decimal(22), **changes))
    numbers = site.numbers()
    site.store(PLANT.rows(numbers, ERRORS))
    for place, number in enumerate(numbers):
        means = PLANT.phases(place)
        if not phases and place < len(ERRORS):
            means = [VoltageMean((round(sum(one.voltages_mv) / 3),), one.power_mw) for one in means]
        sent(site, number, blocks_of(means, 24), first=1_000_000 * (place + 1))
    settings = Estimation(days=DAYS, share_percent=100)
    return estimate(site.engine, site.context(), settings, DAY, DAY + DAYS * LENGTH).result


def off(found: StationResult) -> list[float]:
    """Return by how much each error is wrong, less what the chargers with even loads have in common; per cent."""
    wrong = [one.error - 100 * error for one, error in zip(found.chargers, ERRORS, strict=True)]
    return [one - sum(wrong[2:]) / 4 for one in wrong]


def test_an_uneven_load_is_measured_by_its_phases(site: Site) -> None:
    found = said(site, phases=True)
    branches = [one.branch for one in found.chargers if one.branch is not None]
    assert [one.balance for one in branches] == ["uneven"] * 2 + ["even"] * 4
    for number, (one, wrong) in enumerate(zip(found.chargers, off(found), strict=True)):
        assert abs(wrong) < 2 * one.u_own + 0.03, (number, wrong, one)
    report = text.report(found, ZoneInfo("Asia/Shanghai"))
    assert "stand unevenly on the phases" in report
    assert "三相不平衡：支路损耗可达平衡时的六倍: C01 +" in report
    assert "not known whether" not in report
    content = json.loads(json.dumps(found.content(series=False)))["chargers"][0]["branch"]
    power, more = (
        sum(each) for each in zip(*((PLANT.power[0][m], PLANT.more(0, m)) for m in range(DAYS * 1440)), strict=True)
    )
    assert content["uneven_percent"] == pytest.approx(100 * more / power, abs=1.5 * content["uneven_u"])


def test_without_phases_it_is_wrong_and_nobody_knows_it_unless_the_registry_says_so(site: Site) -> None:
    mean = said(site, phases=False)
    report = text.report(mean, ZoneInfo("Asia/Shanghai"))
    assert "not known whether loads stand evenly on the phases" in report
    assert "请在台账设 single_phase_vehicles: C01, C02, C03, C04, C05, C06" in report
    assert max(abs(wrong) / one.u_own for one, wrong in zip(mean.chargers, off(mean), strict=True)) > 3


def test_the_registry_says_that_nobody_knows_what_is_lost(site: Site) -> None:
    found = said(site, phases=False, single_phase_vehicles=True)
    for one, wrong in zip(found.chargers, off(found), strict=True):
        assert abs(wrong) < 2 * one.u_own + 0.03
        assert one.u_own > 0.2
    report = text.report(found, ZoneInfo("Asia/Shanghai"))
    assert "not known how much they lose" in report
    assert "损耗增量未知" in report
