"""What was measured of branches, from one run to the next, and what the estimator is told of it."""

from decimal import Decimal

import pytest
from drops_support import DESIGN, LINE_V, RATED_KW, wired
from estimation_support import DAY, LENGTH, Site

from cloud_receiver.estimation.branch_findings import AGAINST, HOT, noticed
from cloud_receiver.estimation.branch_losses import BranchLoss, losses
from cloud_receiver.estimation.branch_result import branch_result
from cloud_receiver.estimation.branches import CONTRADICTED, Branch, Branches, Measured, decoded
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.model import Facts, setup
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.registry import Station

SETTINGS = Estimation()
END = DAY + 10 * LENGTH
WHOLE = Branch(0.1 + 0.2, 1e-5 / 3, 900, "b", None, Measured(DAY, 1e-3, 2e-5), Measured(DAY - LENGTH, 1 / 3, 0.0))


def branch(times: float, u: float = 0.02, reason: str | None = None) -> Branch:
    """Return a branch that was measured to lose so many times the design; `u`: likewise."""
    return Branch(times * DESIGN, u * DESIGN, 900, "mean", reason)


def told(site: Site, station: Station, *found: Branch | None, settings: Estimation = SETTINGS) -> list[BranchLoss]:
    """Return what the estimator is told of branches, in designs; `found`: of the chargers, in order."""
    site.enter(station)
    context, numbers = site.context(), site.numbers()[:-1]
    known = Branches({number: one for number, one in zip(numbers, found, strict=True) if one is not None})
    design = DESIGN if station.loss.branch_ohm else None
    result = losses(context, numbers, known, settings, design)
    return [
        BranchLoss(
            None if one.design is None else one.design / DESIGN,
            None if one.measured is None else (one.measured[0] / DESIGN, one.measured[1] / DESIGN),
        )
        for one in result
    ]


def test_what_is_kept_comes_back_to_the_bit() -> None:
    found = Branches({3: WHOLE, 5: Branch(reason="no_voltages")}, END, 12, {"malformed": 1})
    assert decoded(found.encoded()) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{", '{"by_meter": {}}', '{"by_meter": {"x": {}}, "blocks": 1, "left_out": {}}'),
        Branches({3: WHOLE}).encoded().replace('"quarters"', '"quarter"'),
        Branches({3: WHOLE}).encoded().replace('"loss"', '"resistance"'),
    ],
)
def test_what_another_version_kept_is_nothing(text: str) -> None:
    assert decoded(text) is None


def test_a_measurement_is_compared_with_one_of_other_windows_as_soon_as_there_is_one() -> None:
    span, found = 30 * LENGTH, Branches()
    seen = []
    for week in range(10):
        end_ms = DAY + week * 7 * LENGTH
        last, earlier = found.past(1, end_ms - span, end_ms)
        one = Branch(float(week), 0.1, 9, "mean", None, last, earlier)
        found = Branches({1: one}, end_ms)
        seen.append(None if one.before is None else int(one.before.loss))
    # The first one is compared with until there is a later one from before the span.
    assert seen == [None, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    assert found.past(1, DAY, DAY) == (None, None)
    assert found.past(2, DAY, END) == (None, None)


def test_a_measurement_that_is_not_used_is_not_compared_with() -> None:
    found = Branches({1: branch(2, reason=CONTRADICTED)}, DAY)
    assert found.past(1, DAY, END) == (None, None)


def test_what_a_drop_says_of_a_loss_is_part_of_its_u(site: Site) -> None:
    found = told(site, wired(3), branch(1.2), None, branch(0.4))
    assert [one.design for one in found] == pytest.approx([1] * 3)
    assert found[0].measured == pytest.approx((1.2, (0.02**2 + (0.04 * 1.2) ** 2) ** 0.5))
    assert found[1].measured is None
    # Of one that loses less than designed, as of the design.
    assert found[2].measured == pytest.approx((0.4, (0.02**2 + 0.04**2) ** 0.5))
    sharp = told(site, wired(3), branch(1.2), None, None, settings=Estimation(voltage_drop_percent=Decimal(0)))
    assert sharp[0].measured == pytest.approx((1.2, 0.02))


def test_a_branch_far_beyond_the_design_has_its_own(site: Site) -> None:
    found = told(site, wired(3), branch(4), branch(1.8), branch(-0.03))
    assert [one.design for one in found] == pytest.approx([4, 1, 1])
    # Next to nothing, as surely as it was measured.
    assert found[2].measured == pytest.approx((0, (0.02**2 + 0.04**2) ** 0.5))


def test_without_a_design_one_or_two_say_nothing_of_others(site: Site) -> None:
    station = wired(5, designed=False)
    one, two, three = branch(1), branch(1.1), branch(0.9)
    assert told(site, station, one, two, None, None, None) == [BranchLoss(None, None)] * 5
    found = told(site, station, one, two, three, None, None)
    assert [item.design for item in found] == [None] * 5
    assert [item.measured is not None for item in found] == [True, True, True, False, False]
    assert all(item.measured for item in told(site, wired(2, designed=False), one, two))


@pytest.mark.parametrize("change", [{"voltage_drop": False}, {"dc_output": True}])
def test_what_registry_or_settings_switch_off_is_not_used(site: Site, change: dict[str, bool]) -> None:
    found = [branch(1)] * 3
    assert [one.measured for one in told(site, wired(3, **change), *found)] == [None] * 3
    off = Estimation(voltage_drop=False)
    assert [one.measured for one in told(site, wired(3), *found, settings=off)] == [None] * 3


def test_a_switch_makes_another_estimator(site: Site) -> None:
    site.enter(wired(3))
    known = Branches({number: branch(1.2) for number in site.numbers()[:-1]}, END)

    def digest(station: Station, settings: Estimation = SETTINGS, branches: Branches = known) -> str:
        site.enter(station)
        return setup(site.context(), settings, Facts(), DAY, END, branches=branches).digest

    digests = {
        digest(wired(3)),
        digest(wired(3, voltage_drop=False)),
        digest(wired(3), Estimation(voltage_drop_percent=Decimal(6))),
        digest(wired(3), branches=Branches()),
    }
    assert len(digests) == 3
    assert digest(wired(3, voltage_drop=False)) == digest(wired(3), branches=Branches())
    assert digest(wired(3)) == digest(wired(3))


def findings(
    site: Site, *found: Branch, settings: Estimation = SETTINGS, station: Station | None = None
) -> list[Noticed]:
    site.enter(station or wired(len(found)))
    context = site.context()
    known = Branches(dict(zip(site.numbers()[:-1], found, strict=True)), END)
    return noticed(context, setup(context, settings, Facts(), DAY, END, branches=known), settings)


def test_a_branch_that_loses_far_more_than_those_like_it_is_named(site: Site) -> None:
    usual = [branch(times) for times in (0.8, 1.0, 1.1, 1.3)]
    assert findings(site, *usual, branch(1.9)) == []
    [found] = findings(site, *usual, branch(3.0))
    assert (found.name, found.meters, found.blocks) == (HOT, (site.numbers()[4],), False)
    assert found.numbers == pytest.approx(
        {"percent": 100 * RATED_KW * 3 * DESIGN, "usual_percent": 100 * RATED_KW * 1.05 * DESIGN}
    )
    # Not what may be by chance, nor beside too few, nor with another factor.
    assert findings(site, *usual, branch(3.0, u=0.4)) == []
    assert findings(site, branch(1.0), branch(4.0)) == []
    assert findings(site, *usual, branch(3.0), settings=Estimation(branch_alarm_factor=Decimal(3))) == []


def test_a_branch_within_its_design_is_not_named(site: Site) -> None:
    usual = [branch(times) for times in (0.2, 0.25, 0.3)]
    assert findings(site, *usual, branch(0.9)) == []
    [found] = findings(site, *usual, branch(0.9), station=wired(4, designed=False))
    assert found.name == HOT


def test_a_branch_is_like_those_of_chargers_of_its_power(site: Site) -> None:
    base = wired(6)
    *chargers, grid = base.meter
    large = [meter.model_copy(update={"rated_kw": Decimal(60)}) for meter in chargers[:3]]
    station = base.model_copy(update={"meter": (*large, *chargers[3:], grid)})
    usual = [branch(0.1)] * 3
    assert findings(site, *usual, branch(1.0), branch(1.0), branch(1.0), station=station) == []


def test_a_branch_that_loses_far_more_than_before_is_named(site: Site) -> None:
    before = Measured(END - 40 * LENGTH, DESIGN, 0.02 * DESIGN)
    for times, risen in ((1.2, False), (1.35, False), (1.6, True)):
        one = Branch(times * DESIGN, 0.02 * DESIGN, 900, "mean", None, before)
        found = findings(site, one, branch(1.0), branch(1.0))
        assert [item.numbers for item in found] == (
            [pytest.approx({"percent": 100 * RATED_KW * times * DESIGN, "before_percent": 100 * RATED_KW * DESIGN})]
            if risen
            else []
        )


def test_what_energies_contradict_is_named_and_not_used(site: Site) -> None:
    [found] = findings(site, branch(1.0), branch(1.0), branch(3, reason=CONTRADICTED))
    assert (found.name, found.meters) == (AGAINST, (site.numbers()[2],))


@pytest.mark.parametrize("designed", [True, False])
def test_a_branch_is_told_at_rated_power_and_as_a_resistance(site: Site, *, designed: bool) -> None:
    site.enter(wired(3, designed=designed))
    first, second, third, _ = site.numbers()
    context = site.context()
    known = Branches({first: branch(1.2), second: Branch(reason="no_voltages")}, END)
    made = setup(context, SETTINGS, Facts(), DAY, END, branches=known)
    found = branch_result(context, made, first)
    assert found is not None
    assert (found.quarters, found.reference, found.reason) == (900, "mean", None)
    assert found.percent == pytest.approx(100 * RATED_KW * 1.2 * DESIGN)
    assert found.u == pytest.approx(100 * RATED_KW * DESIGN * (0.02**2 + 0.048**2) ** 0.5)
    assert found.milliohm == (pytest.approx(1.2 * DESIGN * LINE_V**2) if designed else None)
    unknown = branch_result(context, made, second)
    assert unknown is not None
    assert (unknown.percent, unknown.u, unknown.milliohm, unknown.reason) == (None, None, None, "no_voltages")
    assert branch_result(context, made, third) is None
