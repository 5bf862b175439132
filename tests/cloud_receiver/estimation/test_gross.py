"""Chargers whose numbers are those of no meter."""

import pytest
from whole_span_support import One, context, made, said, total, windows_of

from cloud_receiver.estimation.gross import noticed

KW = 60
SLOTS = 96


def column(*strange: float, kwh: float = 10.0) -> list[float]:
    """Return energies of a charger that counts in 40 windows, some of them strange."""
    return [*strange, *[kwh] * (40 - len(strange)), *[0.0] * (SLOTS - 40)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("windows", "kwh", "named"), [(9, 23.0, True), (8, 23.0, False), (9, 22.0, False), (40, 1e4, True), (0, 0, False)]
)
def test_more_than_its_power_allows(windows: int, kwh: float, named: bool, sign: int) -> None:
    """1.5 times 60 kW for a quarter of an hour are 22.5 kWh, and a fifth of 40 windows are 8."""
    columns = [column(), column(*[sign * kwh] * windows)]
    found = noticed(context(2), made(2), windows_of(total(columns), columns), said(One(0), One(1)))
    assert [(item.name, item.meters, item.blocks, item.withdrawn) for item in found] == (
        [("beyond_power", (12,), False, (12,))] if named else []
    )
    if named:
        assert found[0].numbers == {"windows": windows, "largest_kw": 4 * kwh}


def test_a_few_windows_are_those_of_a_clock() -> None:
    """A charger that hardly charges, or is in service for a little while."""
    columns = [column(), [23.0] * 7 + [0.0] * (SLOTS - 7)]
    assert noticed(context(2), made(2), windows_of([30.0] * SLOTS, columns), said(One(0), One(1))) == []


@pytest.mark.parametrize(
    ("error", "decision", "named"),
    [(0.11, "flag", True), (-0.33, "flag", True), (0.09, "flag", False), (0.3, "undetermined", False)],
)
def test_further_off_than_meters_are(error: float, decision: str, named: bool) -> None:
    columns = [column(), column()]
    windows = windows_of(total(columns), columns)
    estimation = said(One(0), One(1, error, decision=decision))
    found = noticed(context(2), made(2), windows, estimation)
    assert [(item.name, item.meters, item.withdrawn) for item in found] == ([("far_off", (12,), ())] if named else [])
    assert not found or found[0].numbers == {"percent": pytest.approx(100 * error)}


@pytest.mark.parametrize("name", ["implausible", "negative"])
def test_what_has_another_name_is_not_named_again(name: str) -> None:
    columns = [column(), column()]
    windows = windows_of(total(columns), columns)
    estimation = said(One(0), One(1, 0.5, decision="flag"), findings=[(name, [1], {}, False)])
    assert noticed(context(2), made(2), windows, estimation) == []
    far = [column(), column(*[30.0] * 30)]
    beyond = said(One(0), One(1, 0.5, decision="flag"))
    assert [item.name for item in noticed(context(2), made(2), windows_of(total(far), far), beyond)] == ["beyond_power"]
