"""The grid service after it was down, beside another one, and with a link, a clock or a slot that fails it."""

from collections.abc import Collection
from typing import Any

import pytest
from grid_service_support import (
    DAY_MS,
    SLOT_MS,
    SNAPSHOT,
    SOLVED,
    Bench,
)
from key_support import BOTH_ALGORITHMS, key_of
from sqlalchemy import select

from cloud_receiver import database
from cloud_receiver.grid.service import runner, versions
from cloud_receiver.grid.service.plan import Plan
from cloud_receiver.grid.service.versions import Solved, Versions
from cloud_receiver.schema import factor
from wire.messages import Origin

pytestmark = BOTH_ALGORITHMS


def test_what_was_missed_while_the_receiver_was_down_is_caught_up(bench: Bench) -> None:
    bench.again(slots=4)
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    bench.link.factors.clear()
    bench.tell({number: SNAPSHOT for number in range(1, 40) if number != 7})
    bench.again(slots=4)
    bench.run_to(40)
    assert [slot.start_ms for slot in bench.slots()] == [DAY_MS + number * SLOT_MS for number in range(40)]
    assert bench.origins(7) == (Origin.HELD,) * 3
    with database.reading(bench.engine) as connection:
        told = connection.execute(select(factor.c.start_ms).where(factor.c.node == "U1")).scalars().all()
    assert sorted(told) == [slot.start_ms for slot in bench.slots()]
    spoken = {
        message.first_start_ms + place * SLOT_MS
        for message in bench.link.factors
        if message.node == "U1"
        for place in range(len(message.factors))
    }
    assert spoken >= {DAY_MS + number * SLOT_MS for number in range(1, 40)}
    assert bench.newest("U1").first_start_ms == DAY_MS + 36 * SLOT_MS


def test_after_a_restart_the_standing_messages_are_published_byte_for_byte(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT, 1: SNAPSHOT})
    bench.run_to(2)
    standing = set(bench.link.published[-3:])
    bench.link.published.clear()
    bench.again()
    bench.run()
    assert set(bench.link.published[-3:]) == standing


def test_under_a_new_key_the_factors_are_signed_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    old = set(bench.link.published)
    before = bench.newest("U1")
    other = key_of("another")
    monkeypatch.setattr("grid_service_support.key_of", lambda _name: other)
    bench.link.factors.clear()
    bench.link.published.clear()
    bench.again()
    # The link refuses the former key's messages, as a gateway does that knows the new one.
    bench.run()
    assert bench.newest("U1").factors == before.factors
    assert bench.newest("U1").issued_ms > before.issued_ms
    assert not old & set(bench.link.published)


def test_a_broken_link_keeps_what_is_to_be_published(bench: Bench) -> None:
    bench.link.broken = True
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    assert bench.dispatched(0) == SOLVED
    assert (bench.link.factors, bench.service.outlet.failures) == ([], 1)
    bench.link.broken = False
    bench.service.outlet.connected()
    bench.run()
    assert bench.newest("U1").factors == (592_000,)


def test_a_second_receiver_on_the_store_does_no_harm(bench: Bench) -> None:
    first, second = bench.service, bench.again()
    bench.tell(dict.fromkeys(range(3), SNAPSHOT))
    for number in (1, 2, 3):
        bench.service = first
        bench.run_to(number)
        bench.service = second
        bench.run()
    assert [slot.version for slot in bench.slots(all_versions=True)] == [1, 1, 1]
    assert bench.newest("U1").factors == (592_000,) * 3


def test_one_bad_slot_does_not_stop_the_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = versions.sigmas

    def failing(known: object, collected: object, settings: object) -> object:
        if collected.start_ms == DAY_MS + SLOT_MS:  # type: ignore[attr-defined]  # what sigmas is called with
            raise ZeroDivisionError("by accident")
        return real(known, collected, settings)  # type: ignore[arg-type]  # likewise

    monkeypatch.setattr(versions, "sigmas", failing)
    bench.tell(dict.fromkeys(range(3), SNAPSHOT))
    bench.run_to(3)
    assert [bench.origins(number)[0] for number in range(3)] == [Origin.SOLVED, Origin.HELD, Origin.SOLVED]
    assert "ZeroDivisionError" in bench.slot(1).summary["error"]


def test_a_clock_that_was_ahead_dispatches_nothing_of_the_future(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    bench.run_to(9)
    bench.link.factors.clear()
    bench.clock.step_wall(-7 * SLOT_MS)
    bench.tell({1: SNAPSHOT})
    bench.again()
    bench.run()
    last = bench.newest("U1")
    assert last.first_start_ms + (len(last.factors) - 1) * SLOT_MS <= DAY_MS + SLOT_MS
    assert bench.dispatched(1) == SOLVED


def test_few_slots_of_a_large_grid_are_solved_in_one_transaction(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "NODES_OF_SLOTS_AT_ONCE", 6)
    taken: list[int] = []
    real = Versions.solve

    def counting(self: Versions, plan: Plan, starts: Collection[int], *rest: Any) -> Solved:
        taken.append(len(starts))
        return real(self, plan, starts, *rest)

    monkeypatch.setattr(Versions, "solve", counting)
    bench.tell(dict.fromkeys(range(5), SNAPSHOT))
    bench.run_to(5)
    assert taken == [2, 2, 1]
