"""What happened to meters before a span: an exchange after a result is known, however long ago both were."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from estimation_support import DAY, LENGTH, Site

from cloud_receiver import database
from cloud_receiver.estimation import verification
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.model import setup
from cloud_receiver.estimation.run import facts_of
from cloud_receiver.registry import Verified

END = DAY + 30 * LENGTH
SETTINGS = Estimation()


def enter(site: Site, number: int, at_ms: int) -> None:
    """Enter a result of a meter."""
    with database.writing(site.engine) as connection:
        verification.enter(
            connection,
            site.context().number,
            number,
            at_ms=at_ms,
            error_percent=Decimal("0.5"),
            u_percent=Decimal("0.1"),
            left_percent=None,
            made_by="Li",
            document="",
            now_ms=END,
        )


def register(site: Site, place: int, at_ms: int) -> None:
    """Write a certificate of a meter into the registry."""
    item = Verified(
        at=datetime.fromtimestamp(at_ms / 1000, UTC), error_percent=Decimal("0.5"), u_percent=Decimal("0.1")
    )
    meters = list(site.station.meter)
    meters[place] = meters[place].model_copy(update={"verified": (item,)})
    site.enter(site.station.model_copy(update={"meter": tuple(meters)}))


def anchored(site: Site, first_ms: int) -> tuple[bool, bool]:
    """Return whether the first charger has a result that holds, and whether the master has."""
    made = setup(site.context(), SETTINGS, facts_of(site.engine, site.context(), first_ms, END), first_ms, END)
    return site.numbers()[0] in made.anchored, made.certified


@pytest.mark.parametrize("registered", [False, True], ids=["entered", "registered"])
@pytest.mark.parametrize("place", [0, 3], ids=["charger", "master"])
@pytest.mark.parametrize("span_days", [30, 90, 500])
def test_a_result_from_before_an_exchange_of_long_ago_says_nothing(
    site: Site, span_days: int, place: int, *, registered: bool
) -> None:
    number, first_ms = site.numbers()[place], END - span_days * LENGTH
    at_ms = END - 930 * LENGTH
    if registered:
        register(site, place, at_ms)
    else:
        enter(site, number, at_ms)
    assert anchored(site, first_ms)[place == 3]
    site.exchanged(number, at_ms - LENGTH)
    assert anchored(site, first_ms)[place == 3]
    site.exchanged(number, END - 480 * LENGTH)
    assert anchored(site, first_ms) == (False, False)


def test_a_result_of_another_meter_is_no_reason_to_forget(site: Site) -> None:
    first, second, *_ = site.numbers()
    enter(site, first, END - 500 * LENGTH)
    enter(site, second, END - 930 * LENGTH)
    site.exchanged(first, END - 480 * LENGTH)
    site.exchanged(second, END - 940 * LENGTH)
    found = facts_of(site.engine, site.context(), END - 30 * LENGTH, END)
    assert found.exchanges == {first: [END - 480 * LENGTH]}
    made = setup(site.context(), SETTINGS, found, END - 30 * LENGTH, END)
    assert made.anchored == (second,)
