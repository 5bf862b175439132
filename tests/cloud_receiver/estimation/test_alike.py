"""Chargers that charge only together."""

import pytest
from whole_span_support import One, drawn, made, said, total, windows_of

from cloud_receiver.estimation.alike import noticed

DAYS = 4


def unknown(count: int, *known: int) -> list[One]:
    return [One(place, identified=1.0 if place in known else 0.05) for place in range(count)]


def test_a_group_of_which_only_the_sum_is_known() -> None:
    one, other, *_ = drawn(2, DAYS)
    columns = [one, other, [0.7 * value for value in one], one]
    [item] = noticed(made(4), windows_of(total(columns), columns), said(*unknown(4, 1)))
    assert (item.name, item.meters, item.blocks) == ("charge_together", (11, 13, 14), False)
    assert item.withdrawn == item.meters


def test_two_groups() -> None:
    one, other = drawn(2, DAYS)
    columns = [one, other, one, other, one, other]
    found = noticed(made(6), windows_of(total(columns), columns), said(*unknown(6)))
    assert [item.meters for item in found] == [(11, 13, 15), (12, 14, 16)]


def test_two_whose_errors_cancel_are_a_pair() -> None:
    """The core names two whose estimates pull against each other: theirs don't."""
    one, other, third = drawn(3, DAYS)
    columns = [one, [1.04 * value for value in other], third, [0.96 * value for value in other]]
    [item] = noticed(made(4), windows_of(total(columns), columns), said(*unknown(4, 0, 2)))
    assert (item.name, item.meters, item.withdrawn) == ("charge_together", (12, 14), (12, 14))


def test_what_the_core_names_is_not_named_again() -> None:
    one, other, third = drawn(3, DAYS)
    columns = [one, one, other, third]
    pair = said(*unknown(4), findings=[("collinear", [0, 1], {}, False)])
    assert noticed(made(4), windows_of(total(columns), columns), pair) == []
    three = [one, one, one]
    core = said(*unknown(3), findings=[("collinear", [0, 1], {}, False), ("collinear", [1, 2], {}, False)])
    assert noticed(made(3), windows_of(total(three), three), core) == []
    first = said(*unknown(3), findings=[("collinear", [0, 1], {}, False)])
    assert [item.meters for item in noticed(made(3), windows_of(total(three), three), first)] == [(11, 12, 13)]


@pytest.mark.parametrize(("known", "named"), [((0,), True), ((0, 1), True), ((0, 1, 2), False)])
def test_where_all_are_known_they_are_no_group(known: tuple[int, ...], named: bool) -> None:
    """A large one beside a small one may look known, by what is believed of the small one."""
    [one] = drawn(1, DAYS)
    columns = [one, one, [0.3 * value for value in one]]
    found = noticed(made(3), windows_of(total(columns), columns), said(*unknown(3, *known)))
    assert [item.meters for item in found] == ([(11, 12, 13)] if named else [])


def test_those_that_hardly_charged_are_not_alike() -> None:
    columns = drawn(4, DAYS)
    assert noticed(made(4), windows_of(total(columns), columns), said(*unknown(4))) == []
    # Half of the energy in common is not enough either.
    shared = [[own + both for own, both in zip(column, columns[3], strict=True)] for column in columns[:3]]
    assert noticed(made(3), windows_of(total(shared), shared), said(*unknown(3))) == []
    # Nor are those that never did.
    none = [[0.0] * len(columns[0])] * 3
    estimates = [One(place, identified=0.0, active_windows=0) for place in range(3)]
    assert noticed(made(3), windows_of([0.1] * len(columns[0]), none), said(*estimates)) == []


def test_in_a_few_windows_any_two_may_look_alike() -> None:
    [one] = drawn(1, DAYS)
    columns = [one, one]
    few = said(*unknown(2), findings=[("few_windows", [], {}, False)])
    assert noticed(made(2), windows_of(total(columns), columns), few) == []


def test_long_windows_do_not_make_chargers_alike() -> None:
    """In each of them all have charged, by about as much."""
    columns = [[100 + value for value in column] for column in drawn(3, DAYS)]
    assert noticed(made(3), windows_of(total(columns), columns), said(*unknown(3))) == []
