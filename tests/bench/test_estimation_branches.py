"""What is made of voltages, and what it is judged by."""

from decimal import Decimal

import numpy as np
import pytest

from bench.estimation import branches, voltages
from bench.estimation.branches import Branches
from bench.estimation.readings import Conditions, drawn_errors, read
from bench.estimation.sites import AC, DC, Floats, Site, station
from bench.estimation.voltages import Mains, Voltages
from cloud_receiver.estimation.config import Estimation
from diantan_core import voltage_drop

CONDITIONS = Conditions(days=20)


def _shown(site: Site) -> tuple[Mains, Voltages]:
    held = station(site, CONDITIONS.days, np.random.default_rng(1))
    mains = voltages.mains(held, np.random.default_rng(2))
    dice = np.random.default_rng(3)
    return mains, voltages.show(mains, *read(held, drawn_errors(20, dice), CONDITIONS, dice), np.random.default_rng(4))


@pytest.fixture(scope="module")
def dc() -> tuple[Mains, Voltages]:
    return _shown(DC)


@pytest.fixture(scope="module")
def ac() -> tuple[Mains, Voltages]:
    return _shown(AC)


def _off(found: Floats, mains: Mains) -> float:
    return float(np.sqrt(((found / mains.station.losses.branches - 1) ** 2).mean()))


def test_least_squares_find_branches_behind_three_phases(dc: tuple[Mains, Voltages]) -> None:
    mains, shown = dc
    assert _off(branches.ordinary(shown), mains) < 0.06
    assert _off(branches.panel(shown, mains.phases), mains) < 0.1


def test_single_phases_mislead_who_doesnt_know_them(ac: tuple[Mains, Voltages]) -> None:
    mains, shown = ac
    assert _off(branches.ordinary(shown), mains) > 0.3
    assert _off(branches.panel(shown, mains.phases), mains) < 0.15


@pytest.mark.parametrize(("site", "with_master"), [("dc", True), ("dc", False), ("ac", True)])
def test_the_product_measures_branches_within_what_it_states(
    site: str, with_master: bool, request: pytest.FixtureRequest
) -> None:
    mains, shown = request.getfixturevalue(site)
    found = branches.measured(mains, shown, mains.station.losses.level, with_master=with_master)
    known = branches.over([found])
    assert known is not None
    assert known.share == 1.0
    assert known.off < 0.05
    assert known.coverage >= 0.9
    assert known.stated > branches.TRUST * 0.9
    assert found.ordinary.tolist() == branches.ordinary(shown).tolist()
    assert found.told(3) == (mains.station.losses.level, (found.loss[3], found.u[3]), None)


def test_the_bench_trusts_a_drop_as_the_centre_does() -> None:
    assert Estimation().voltage_drop_percent == Decimal(str(branches.TRUST)) * 100


def test_what_is_known_of_branches_is_judged() -> None:
    true = np.array([1e-4, 2e-4, 1e-4, 1e-4])
    loss, u_drop = true * [1.1, 0.8, 1.0, np.nan], true * [0.1, 0.02, 0.0, np.nan]
    found = Branches(true, loss, u_drop, true * 2, true * [1, 1, 1, 3], design=0.5e-4, rated_kw=60)
    known = branches.over([None, found, found])
    assert known is not None
    assert known.share == 0.75
    assert known.off == pytest.approx((0.05 / 3) ** 0.5)
    assert known.middle == pytest.approx(0.1)
    trust = branches.TRUST
    stated = [np.hypot(0.1, 1.1 * trust), np.hypot(0.02, 0.8 * trust), trust]
    assert known.stated == pytest.approx(np.sqrt(np.mean(np.square(stated))))
    assert known.coverage == pytest.approx(2 / 3)  # the second one is off by more than 6 u
    assert known.ordinary == pytest.approx(1.0)
    assert known.panel == pytest.approx(1.0)
    assert "branches of 75.0 % of the chargers measured, off by 12.9 % (half of them by less than 10.0 %)" in str(known)
    assert branches.over([None]) is None


def test_the_estimator_is_told_what_the_centre_tells_it() -> None:
    design, u_drop = 1e-4, np.full(7, 0.1e-4)
    loss = np.array([1.1e-4, np.nan, -0.2e-4, -0.4e-4, 0.2e-4, 2.5e-4, 20e-4])
    found = Branches(loss, loss, u_drop, loss, loss, design, rated_kw=60)
    u = 1e-4 * np.hypot(
        0.1, branches.TRUST * np.array([1.1, 1, 1, 1, 1, 2.5])
    )  # next to no loss is not known without end
    told = [found.told(number) for number in range(7)]
    # one far beyond the design is none of its kind
    assert [each for each, *_ in told] == [*[design] * 5, 2.5e-4, design]
    assert told[0][1] == pytest.approx((1.1e-4, u[0]))
    assert told[1][1] is None
    assert told[2][1] == pytest.approx((0.0, u[2]))
    assert told[3][1] is None  # beyond chance
    assert told[4][1] == pytest.approx((0.2e-4, u[4]))
    assert told[5][1] == pytest.approx((2.5e-4, u[5]))
    assert told[6][1] is None  # 12 % at rated power


def test_one_of_a_single_phase_is_believed_beside_that_phase_only(ac: tuple[Mains, Voltages]) -> None:
    mains, shown = ac
    design = mains.station.losses.level
    assert np.isfinite(branches.measured(mains, shown, design).loss).all()
    assert np.isnan(branches.measured(mains, shown, design, with_master=False).loss).all()
    found = voltage_drop(shown.times_ms, [branches.meter(each) for each in shown.chargers]).branches
    assert any(branches.believed(each, 9.0) for each in found)
    assert not any(branches.believed(each, 8.0) for each in found)
