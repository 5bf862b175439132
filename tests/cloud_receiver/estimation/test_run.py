"""A station's estimate from its store: all at once, and day by day to the bit."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, ERRORS, LENGTH, Site, replace_row, rows_of
from receiver_support import SLOT_MS

from cloud_receiver import database
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.model import Facts, setup
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.run import Done, estimate, nightly
from cloud_receiver.estimation.windows import build, chargers_of

DAYS = 8
OF_JULY = date(2026, 7, 1)
SETTINGS = Estimation(days=DAYS, full_every_days=SELDOM)
FIVE = Estimation(days=5, full_every_days=SELDOM)
END = DAY + DAYS * LENGTH


def nights(site: Site, *through: int, settings: Estimation = SETTINGS) -> list[Done]:
    done = []
    for through_ms in through:
        for item in nightly(site.engine, site.context(), settings, through_ms):
            if item is not None:
                done.append(item)
                assert item.state is not None
                with database.writing(site.engine) as connection:
                    store.keep_state(connection, site.context().number, item.state)
                    store.keep(connection, site.context().number, item.result, through_ms)
    return done


def test_the_altered_charger_is_flagged_and_no_other(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    said = estimate(site.engine, site.context(), SETTINGS, DAY, END).result
    assert [(one.meter, one.decision) for one in said.chargers] == [("C01", "clear"), ("C02", "flag"), ("C03", "clear")]
    for one, error in zip(said.chargers, ERRORS, strict=True):
        assert abs(one.error - 100 * error) < 3 * one.u
        assert one.u**2 == pytest.approx(one.u_common**2 + one.u_own**2)
        assert (one.limit, one.verified, one.since_ms) == (1.0, False, None)
    assert (said.first_ms, said.end_ms, said.windows, said.full) == (DAY, END, DAYS * 96, True)
    assert said.completeness is not None
    assert {share for row in said.completeness.shares for share in row} == {1.0}
    assert said.completeness.days[0] == "2026-07-01"
    assert len(said.residuals) == DAYS * 96
    english, chinese = said.common_mode
    assert f"±{2 * said.u_common:.2f} %" in english
    assert f"±{2 * said.u_common:.2f} %" in chinese


def test_days_added_are_all_windows_at_once_to_the_bit(site: Site) -> None:
    rows = rows_of(site.numbers(), DAYS)
    # A gap over a midnight: its window is longer, whichever way it is taken.
    gap = range(DAY + 6 * LENGTH - 3 * SLOT_MS, DAY + 6 * LENGTH + 2 * SLOT_MS, SLOT_MS)
    site.store([row for row in rows if row.start_ms not in gap])
    context = site.context()
    found = nights(site, *(DAY + day * LENGTH for day in range(5, DAYS + 1)), settings=FIVE)
    assert [item.result.full for item in found] == [True, False, False, False]
    registers = Registers()
    registers.add(row for row in rows if row.start_ms not in gap)
    chargers = chargers_of(context, DAY, END)
    first = build(context, registers, DAY, DAY + 5 * LENGTH, chargers)
    everything = build(context, registers, DAY, END, chargers)
    assert len(everything.windows) == DAYS * 96 - 4
    estimator = setup(context, FIVE, Facts(), DAY, DAY + 5 * LENGTH).estimator
    sums = estimator.begin(estimator.estimate(first.windows))
    sums.push(everything.windows)
    expected = sums.estimate()
    said = found[-1].result
    assert said.windows == expected.windows
    assert [(one.error, one.u, one.probability) for one in said.chargers] == [
        (100 * one.error, 100 * one.u, one.probability) for one in expected.chargers
    ]


def test_late_data_makes_the_night_take_all_windows(site: Site) -> None:
    rows = rows_of(site.numbers(), DAYS)
    late = [row for row in rows if row.start_ms == DAY + 100 * SLOT_MS]
    site.store([row for row in rows if row not in late])
    nights(site, DAY + 6 * LENGTH)
    assert [item.result.full for item in nights(site, DAY + 7 * LENGTH)] == [False]
    site.store(late)
    [last] = nights(site, END)
    assert (last.result.full, last.result.windows) == (True, DAYS * 96)


def test_a_registry_that_changed_makes_the_night_take_all_windows(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    nights(site, DAY + 7 * LENGTH)
    first, *others = site.station.meter
    changed = first.model_copy(update={"class_limit_percent": Decimal(2)})
    site.enter(site.station.model_copy(update={"meter": (changed, *others)}))
    [last] = nights(site, END)
    assert last.result.full
    assert [one.limit for one in last.result.chargers] == [2.0, 1.0, 1.0]


def test_a_state_of_another_version_makes_the_night_take_all_windows(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    [first] = nights(site, DAY + 7 * LENGTH)
    assert first.state is not None
    with database.writing(site.engine) as connection:
        other = replace(first.state, state=b"DTE1" + first.state.state[4:])
        store.keep_state(connection, site.context().number, other)
    [last] = nights(site, END)
    assert (last.result.full, last.result.windows) == (True, DAYS * 96)


def test_all_windows_are_taken_every_so_many_days(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    found = nights(
        site, *(DAY + day * LENGTH for day in range(3, DAYS + 1)), settings=Estimation(days=3, full_every_days=2)
    )
    assert [item.result.full for item in found] == [True, False, True, False, True, False]
    assert [item.result.windows for item in found] == [288, 384, 288, 384, 288, 384]


def test_a_station_s_own_day_comes_however_soon_after_another_night_with_all_windows(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    settings = Estimation(days=3, full_every_days=3)
    # Its first night is of all windows, and so are the next ones that are its own: of station 1, these.
    own = [day for day in range(3, DAYS + 1) if (OF_JULY.toordinal() + day - site.context().number) % 3 == 0]
    assert own == [3, 6]
    found = nights(site, *(DAY + day * LENGTH for day in range(5, DAYS + 1)), settings=settings)
    assert [item.result.full for item in found] == [True, True, False, False]


def test_an_own_day_that_was_missed_is_made_up_for_by_the_next_night(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    settings = Estimation(days=3, full_every_days=3)
    found = nights(site, *(DAY + day * LENGTH for day in (3, 4, 7, DAYS)), settings=settings)
    assert [item.result.full for item in found] == [True, False, True, False]
    assert [item.result.end_ms for item in found] == [DAY + day * LENGTH for day in (3, 4, 7, DAYS)]


def test_a_night_after_some_that_were_missed_adds_all_their_days(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    first, last = nights(site, DAY + 3 * LENGTH, END)
    assert (first.result.full, last.result.full) == (True, False)
    assert (last.result.first_ms, last.result.end_ms, last.result.windows) == (first.result.first_ms, END, 96 * DAYS)


def test_a_night_is_not_done_twice(site: Site) -> None:
    site.store(rows_of(site.numbers(), 3))
    assert len(nights(site, DAY + 3 * LENGTH, DAY + 3 * LENGTH, DAY + 2 * LENGTH)) == 1


def test_an_exchanged_charger_is_judged_from_then_on(site: Site) -> None:
    numbers = site.numbers()
    at = DAY + 4 * LENGTH
    site.store(rows_of(numbers, DAYS, change=(1, 4 * 96, 0.001)))
    site.exchanged(numbers[1], at)
    said = estimate(site.engine, site.context(), SETTINGS, DAY, END).result
    assert [one.decision for one in said.chargers] == ["clear"] * 3
    assert [one.since_ms for one in said.chargers] == [None, at, None]
    [before] = said.earlier
    assert (before.meter, before.decision, before.since_ms) == ("C02", "flag", None)


def test_an_exchanged_master_begins_the_windows_anew(site: Site) -> None:
    numbers = site.numbers()
    site.store(rows_of(numbers, DAYS))
    site.exchanged(numbers[3], DAY + 5 * LENGTH)
    said = estimate(site.engine, site.context(), SETTINGS, DAY, END).result
    assert (said.first_ms, said.windows) == (DAY + 5 * LENGTH, 3 * 96)


def test_a_silent_charger_is_named_and_nobody_judged(site: Site) -> None:
    numbers = site.numbers()
    site.store([row for row in rows_of(numbers, 2) if row.meter != numbers[0]])
    done = estimate(site.engine, site.context(), SETTINGS, DAY, DAY + 2 * LENGTH)
    assert (done.result.findings[0].name, done.result.findings[0].meters) == ("silent", ("C01",))
    assert {one.decision for one in done.result.chargers} == {"undetermined"}
    assert done.state is None


def test_another_word_on_a_charger_is_said_on_all_windows(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    nights(site, DAY + 7 * LENGTH)
    context = site.context()
    with database.writing(site.engine) as connection:
        before = estimate(site.engine, context, SETTINGS, DAY, DAY + 7 * LENGTH).result
        doubted = tuple(replace(one, decision="undetermined") for one in before.chargers)
        store.keep(connection, context.number, replace(before, chargers=doubted), END)
    [last] = nights(site, END)
    assert last.result.full


@pytest.mark.parametrize(("hour", "full"), [(12, True), (20, False)])
def test_a_beginning_that_is_not_known_makes_the_night_take_all_windows(site: Site, hour: int, *, full: bool) -> None:
    numbers = site.numbers()
    rows = rows_of(numbers, DAYS)
    # C01 says nothing from an hour of the last day to its end, and has stood still: only the readings of that hour tell
    # its register where C02 spoke for the last time. Those of noon lie further back than a night looks.
    hushed = DAY + 6 * LENGTH + hour * LENGTH // 24
    still = next(row.forward_total_mwh for row in rows if row.meter == numbers[0] and row.start_ms == hushed)
    quiet = [
        row
        for row in rows
        if not (row.meter == numbers[0] and hushed < row.start_ms < DAY + 7 * LENGTH - SLOT_MS)
        and not (row.meter == numbers[1] and DAY + 7 * LENGTH - 4 * SLOT_MS <= row.start_ms < DAY + 7 * LENGTH)
    ]
    quiet = [
        replace_row(row, forward_mwh=0, forward_total_mwh=still)
        if row.meter == numbers[0] and row.start_ms > hushed
        else row
        for row in quiet
    ]
    site.store(quiet)
    [first] = nights(site, DAY + 7 * LENGTH)
    assert first.state is not None
    assert first.state.end_ms == DAY + 7 * LENGTH - 4 * SLOT_MS
    [last] = nights(site, END)
    assert (last.result.full, last.result.windows) == (full, DAYS * 96)
