"""What stands in the network: sources with their emission, users, a battery that is never asked for too much."""

import pytest

from demo.grid.fleet import BATTERY, SOURCES, USERS, WATTS, SourceKind, load_class, load_id
from demo.grid.load_shapes import LoadClass


def test_there_are_enough_of_each() -> None:
    """Plants and users as the acceptance asks for, each at a bus of its own."""
    assert len({source.bus for source in SOURCES}) == len(SOURCES) == 19
    assert len(set(USERS)) == 14
    assert not set(USERS) & {source.bus for source in SOURCES}
    assert {source.kind for source in SOURCES} == set(SourceKind)


@pytest.mark.parametrize(("kind", "rated", "half"), [("coal", 0.842, 0.909), ("gas", 0.398, 0.430), ("wind", 0, 0)])
def test_a_kwh_costs_more_at_part_load(kind: str, rated: float, half: float) -> None:
    """The emission is a straight line of the power; nothing runs without feeding in."""
    source = next(source for source in SOURCES if source.kind == kind)
    watts = round(source.rated_megawatts * WATTS)
    factors = [source.emission(power) / power / 1e6 for power in (watts, watts // 2)]
    assert factors == [pytest.approx(rated), pytest.approx(half)]
    assert source.emission(0) == source.emission(-5) == 0


def test_the_battery_gives_what_it_took() -> None:
    """What it discharges in the evening, with the losses of both ways, was charged at noon; a day leaves a rest."""
    stored = lowest = 0.0
    for slot in range(96):
        charge, discharge = BATTERY.powers(slot / 4)
        stored += (charge * BATTERY.thousandths / 1000 - discharge / BATTERY.thousandths * 1000) / 4
        lowest = min(lowest, stored)
    assert lowest == 0
    assert stored > 0
    assert BATTERY.powers(12) == (BATTERY.watts, 0)
    assert BATTERY.powers(21) == BATTERY.powers(9.75) == (0, 0)


def test_loads_have_a_class_and_an_id() -> None:
    """Users charge; of the others the large ones are works."""
    assert (load_id(14), load_id(15)) == ("U014", "D015")
    assert load_class(14, 14) is LoadClass.CHARGING
    assert [load_class(bus, mw) for bus, mw in ((15, 90), (15, 20), (16, 20))] == [
        LoadClass.INDUSTRIAL,
        LoadClass.COMMERCIAL,
        LoadClass.RESIDENTIAL,
    ]
