"""What an estimator is told of a station: anchors that age, beginnings anew, limits, losses."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from estimation_support import DAY, LENGTH, Site

from cloud_receiver.estimation import model
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.model import Facts, anchor, epochs_of, setup
from cloud_receiver.estimation.verification import Verification
from cloud_receiver.registry import Meter, Verified, load
from diantan_core import ErrorCharger, ErrorEstimator, EstimationError
from settings.errors import ConfigError

END = DAY + 30 * LENGTH
YEAR = 365 * LENGTH


def entered(at_ms: int, error: str = "0.5", u: str = "0.1", left: str | None = None) -> Verification:
    return Verification(
        1, 1, at_ms, Decimal(error), Decimal(u), None if left is None else Decimal(left), "Li", "R-17", at_ms
    )


def registered(at_ms: int, error: str = "0.2") -> Verified:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return Verified(at=at, error_percent=Decimal(error), u_percent=Decimal("0.1"))


def charger(site: Site, **changes: Any) -> Meter:
    return site.station.meter[0].model_copy(update=changes)


def test_the_newest_result_counts_wherever_it_stands(site: Site) -> None:
    meter = charger(site, verified=(registered(DAY),))
    facts = Facts({}, {1: [entered(DAY + LENGTH)]})
    settings = Estimation(anchor_drift_percent_per_year=Decimal(0))
    assert anchor(1, meter, facts, settings, END) == pytest.approx((0.005, 0.001))
    assert anchor(1, meter, Facts(), settings, END) == pytest.approx((0.002, 0.001))
    assert anchor(1, meter, Facts(), settings, DAY - 1) is None


def test_a_result_grows_less_sure_with_its_age(site: Site) -> None:
    meter = charger(site, verified=(registered(END - 2 * YEAR),))
    found = anchor(1, meter, Facts(), Estimation(), END)
    assert found is not None
    # Eight quarters of a year at 0.1 % a year.
    assert found[1] == pytest.approx((0.001**2 + 0.002**2) ** 0.5)


def test_a_result_from_before_an_exchange_says_nothing(site: Site) -> None:
    meter = charger(site, verified=(registered(DAY),))
    assert anchor(1, meter, Facts({1: [DAY + LENGTH]}), Estimation(), END) is None
    assert anchor(1, meter, Facts({1: [DAY + LENGTH]}), Estimation(), DAY + 1) is not None


def test_a_certificate_from_before_the_meter_was_put_in_its_place_holds(site: Site) -> None:
    since = datetime.fromtimestamp((DAY + LENGTH) / 1000, UTC)
    assert anchor(1, charger(site, verified=(registered(DAY),), since=since), Facts(), Estimation(), END) is not None


@pytest.mark.parametrize("hours", [-1, 0, 1, 20])
def test_nor_does_it_where_the_registry_has_the_exchange_too(site: Site, hours: int) -> None:
    exchanged = DAY + LENGTH
    since = datetime.fromtimestamp(exchanged / 1000 + 3600 * hours, UTC)
    facts = Facts({1: [exchanged]})
    assert anchor(1, charger(site, verified=(registered(DAY),), since=since), facts, Estimation(), END) is None
    later = charger(site, verified=(registered(exchanged + 1),), since=since)
    assert anchor(1, later, facts, Estimation(), END) is not None


def test_an_adjustment_is_a_beginning_with_the_error_it_was_left_with(site: Site) -> None:
    facts = Facts({1: [DAY]}, {1: [entered(DAY + LENGTH, "3.1", left="0.1")]})
    assert epochs_of(1, facts) == [DAY, DAY + LENGTH]
    found = anchor(1, charger(site), facts, Estimation(), END)
    assert found is not None
    assert found[0] == pytest.approx(0.001)


def test_what_was_before_the_last_beginning_but_one_is_left_out(site: Site) -> None:
    number = site.numbers()[0]
    times = [DAY + LENGTH, DAY + 5 * LENGTH, DAY + 9 * LENGTH]
    made = setup(site.context(), Estimation(), Facts({number: times}), DAY, END)
    assert (made.first_ms, made.epochs) == (times[1], {number: times[2]})


def test_another_setting_is_another_estimator(site: Site) -> None:
    context = site.context()
    digests = {
        setup(context, settings, Facts(), DAY, END).digest
        for settings in (Estimation(), Estimation(cohort_percent=Decimal("0.3")), Estimation(days=9))
    }
    assert len(digests) == 2
    later = setup(context, Estimation(), Facts(), DAY, END + LENGTH).digest
    assert later in digests


def test_what_counts_the_other_way_round_is_another_estimator(site: Site) -> None:
    meters, found = site.station.meter, []
    for inverted in ((), (0,), (1,), (3,), (0, 1), ()):
        told = tuple(meter.model_copy(update={"inverted": place in inverted}) for place, meter in enumerate(meters))
        site.enter(site.station.model_copy(update={"meter": told}))
        found.append(setup(site.context(), Estimation(), Facts(), DAY, END).digest)
    assert found[0] == found[-1]
    assert len(set(found)) == 5


def test_exchanges_of_long_ago_are_nothing_to_explain(site: Site) -> None:
    number = site.numbers()[0]
    times = [DAY - 800 * LENGTH, DAY - model.TURNS_MS - 1, DAY - model.TURNS_MS, DAY + LENGTH]
    made = setup(site.context(), Estimation(), Facts({number: times}), DAY, END)
    assert made.turns == {number: times[2:]}
    assert made.epochs == {number: times[3]}


def test_a_station_has_limits_and_a_cohort_of_its_own(site: Site) -> None:
    before = setup(site.context(), Estimation(), Facts(), DAY, END)
    first, *others = site.station.meter
    own = site.station.estimation.model_copy(update={"cohort_percent": Decimal("0.3")})
    meters = (first.model_copy(update={"class_limit_percent": Decimal(2), "dc_output": True}), *others)
    site.enter(site.station.model_copy(update={"meter": meters, "estimation": own}))
    made = setup(site.context(), Estimation(), Facts(), DAY, END)
    assert list(made.limits.values()) == [2.0, 1.0, 1.0]
    assert made.digest != before.digest


def test_no_chargers_are_told(site: Site) -> None:
    site.enter(site.station.model_copy(update={"meter": site.station.meter[3:]}))
    with pytest.raises(EstimationError, match="chargers"):
        setup(site.context(), Estimation(), Facts(), DAY, END)


REGISTRY = """
[[station]]
id = "S1"
node = "n"
[station.estimation]
days = 60
cohort_percent = "0.3"
[[station.meter]]
id = "{name}"
role = "{role}"
gateway = "gw1"
rated_kw = 60
{lines}
"""


@pytest.mark.parametrize(
    ("role", "lines", "problem"),
    [
        ("grid", "dc_output = true", "class_limit_percent and dc_output of chargers only, found a grid meter"),
        ("auxiliary", 'class_limit_percent = "2"', "of chargers only, found a auxiliary meter"),
        ("auxiliary", "{verified}", "verified: expected of chargers and grid-side meters only"),
        ("charger", 'class_limit_percent = "0"', "class_limit_percent"),
        ("charger", "verified = [{{at = 2026-06-01T00:00:00, error_percent = 1, u_percent = 1}}]", "with its zone"),
        ("grid", "{verified}", None),
        ("charger", 'class_limit_percent = "2"\ndc_output = true\n{verified}', None),
    ],
)
def test_the_registry_says_what_is_known(tmp_path: Path, role: str, lines: str, problem: str | None) -> None:
    verified = 'verified = [{at = 2026-06-01T00:00:00+08:00, error_percent = "0.1", u_percent = "0.05"}]'
    path = tmp_path / "registry.toml"
    path.write_text(REGISTRY.format(name="M", role=role, lines=lines.format(verified=verified)))
    if problem is not None:
        with pytest.raises(ConfigError, match=problem):
            load(path)
        return
    [station] = load(path).station
    assert (station.estimation.days, station.meter[0].verified[0].u_percent) == (60, Decimal("0.05"))


def test_what_verified_chargers_tell_is_not_believed_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def estimator(chargers: list[ErrorCharger], *, cohort_sd: float, **known: Any) -> ErrorEstimator:
        told.append(cohort_sd)
        return ErrorEstimator(chargers, cohort_sd=cohort_sd, **known)

    monkeypatch.setattr(model, "ErrorEstimator", estimator)
    facts = Facts(verifications={site.numbers()[0]: [entered(DAY, "0.3")]})
    made = [setup(site.context(), Estimation(), each, DAY, END) for each in (Facts(), facts)]
    setup(site.context(), Estimation(cohort_percent=Decimal("0.4")), facts, DAY, END)
    assert told == [pytest.approx(0.0003), pytest.approx(0.003), pytest.approx(0.004)]
    # A level that they contradict is one by what was believed.
    assert [each.cohort_sd for each in made] == [pytest.approx(0.0003)] * 2
