"""No factor is lost: not by a crash, not by a broker that is away, not by a gateway that was."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from grid_service_support import DAY_MS, SLOT_MS, SNAPSHOT, Bench, enrol, registry, station
from key_support import key_of
from sqlalchemy import func, insert, select, update

from cloud_receiver import database, factor_messages
from cloud_receiver.grid.service import publish
from cloud_receiver.grid.snapshot import Generation, Snapshot
from cloud_receiver.schema import factor_reached, factor_unsent, gateway_status
from wire.envelope import Signer
from wire.messages import Factors, StatusState

HALF = replace(SNAPSHOT, generators={**SNAPSHOT.generators, "G1": Generation(100.0, 0.5)})
METER = {"id": "M1", "role": "grid"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Make a service whose messages have two slots, and a gateway at the park."""
    bench = Bench(tmp_path, known=registry(station(METER)), slots=2)
    enrol(bench, "ST1")
    yield bench
    bench.engine.dispose()


def solve(bench: Bench, count: int, snapshot: Snapshot = SNAPSHOT) -> None:
    bench.tell(dict.fromkeys(range(count), snapshot))
    bench.run_to(count)


def told(bench: Bench) -> list[tuple[int, tuple[int | None, ...]]]:
    """Return first slot and factors of what was published of the park."""
    found = [((m.first_start_ms - DAY_MS) // SLOT_MS, m.factors) for m in bench.link.factors if m.node == "U1"]
    issued = [m.issued_ms for m in bench.link.factors if m.node == "U1"]
    assert issued == sorted(issued)  # what the broker retains is the newest
    bench.link.factors.clear()
    return found


def unsent(bench: Bench) -> int:
    with database.reading(bench.engine) as connection:
        return connection.execute(select(func.count()).select_from(factor_unsent)).scalar_one()


def says(bench: Bench, state: StatusState, seconds: int = 1) -> None:
    """Let the gateway's status come now."""
    asyncio.run(bench.clock.advance(seconds * 1000))
    now_ms = bench.clock.now_ms()
    values = {"state": int(state), "time_ms": now_ms, "seen_ms": now_ms}
    fixed = {"context": b"journal1", "next_sequence": 1, "unacknowledged": 0, "clock_state": 0, "dropped": 0}
    with database.writing(bench.engine) as connection:
        change = update(gateway_status).where(gateway_status.c.gateway == 1)
        if not connection.execute(change.values(**values)).rowcount:
            connection.execute(insert(gateway_status).values(gateway=1, **values, **fixed))
    bench.run()


def present(bench: Bench) -> None:
    """Let the gateway begin, and be there a while."""
    says(bench, StatusState.BIRTH)
    says(bench, StatusState.HEALTH, 300)
    bench.link.factors.clear()


def reached(bench: Bench) -> int:
    with database.reading(bench.engine) as connection:
        return int(connection.execute(select(factor_reached.c.reached_ms)).scalar_one())


def test_a_correction_of_an_older_slot_survives_a_crash_before_it_was_sent(bench: Bench) -> None:
    solve(bench, 5)
    assert unsent(bench) == 0
    told(bench)
    bench.link.broken = True
    bench.tell({1: HALF})
    bench.run()
    bench.run_to(40)  # many hours: more than any window
    assert unsent(bench) > 0
    bench.link.broken = False
    bench.again()
    bench.run()
    found = told(bench)
    assert found[0] == (1, (370_000,))
    assert found[-1][0] == 38
    assert unsent(bench) == 0


def test_what_was_unsent_under_a_former_key_is_signed_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    solve(bench, 5)
    told(bench)
    bench.link.broken = True
    bench.tell({1: HALF})
    bench.run()
    other = key_of("another")
    monkeypatch.setattr("grid_service_support.key_of", lambda _name: other)
    bench.link.broken = False
    bench.again()
    bench.run()
    assert told(bench)[-1] == (1, (370_000, 592_000, 592_000, 592_000))
    assert unsent(bench) == 0


def test_a_gateway_that_was_away_gets_what_it_missed_with_the_last_slots(bench: Bench) -> None:
    solve(bench, 5)
    present(bench)
    bench.run_to(10)
    bench.tell({3: HALF})
    bench.run()
    told(bench)
    says(bench, StatusState.BIRTH)
    ((first, factors),) = told(bench)
    # From the correction on; slots 5 and 6 of its absence are held, the others official.
    assert (first, factors[:4]) == (3, (370_000, 592_000, 592_000, 592_000))
    assert first + len(factors) == 10
    says(bench, StatusState.HEALTH, 119)
    says(bench, StatusState.BIRTH, 1)
    assert told(bench) == []  # the message that stands has all of it


def test_until_its_health_was_heard_a_gateway_may_have_got_nothing(bench: Bench) -> None:
    solve(bench, 5)
    present(bench)
    bench.tell({1: HALF})
    bench.run()
    for number in (6, 7):
        says(bench, StatusState.BIRTH, 10)
        assert told(bench)[-1][0] == 1
        bench.run_to(number)
        assert told(bench)[-1][0] == number - 2
    says(bench, StatusState.BIRTH, 10)
    says(bench, StatusState.HEALTH, 121)
    bench.run_to(8)
    told(bench)
    says(bench, StatusState.BIRTH)
    assert told(bench) == []


def test_a_gateway_that_was_there_is_told_nothing_twice(bench: Bench) -> None:
    solve(bench, 5)
    present(bench)
    bench.tell({1: HALF})
    bench.run()
    assert [first for first, _ in told(bench)] == [1, 3]
    for _ in range(5):
        says(bench, StatusState.HEALTH, 300)
    says(bench, StatusState.BIRTH)
    assert all(first >= 3 for first, _ in told(bench))


def test_a_long_silence_is_an_absence_without_a_birth(bench: Bench) -> None:
    solve(bench, 5)
    present(bench)
    bench.tell({1: HALF})
    bench.run_to(7)
    told(bench)
    says(bench, StatusState.HEALTH)
    assert told(bench)[-1][0] == 1


def test_who_was_there_is_known_after_a_restart(bench: Bench) -> None:
    solve(bench, 5)
    present(bench)
    before = reached(bench)
    bench.run_to(8)
    bench.tell({1: HALF})
    bench.run()
    told(bench)
    bench.again()
    says(bench, StatusState.BIRTH)
    assert told(bench)[-1][0] == 1
    assert reached(bench) == before


def test_a_month_and_more_is_told_in_several_messages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MOST_SLOTS", 4)
    solve(bench, 11)
    told(bench)
    says(bench, StatusState.BIRTH)  # never heard before
    assert [(first, len(factors)) for first, factors in told(bench)] == [(0, 3), (3, 4), (7, 4)]


def test_a_node_of_the_schedule_is_left_to_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, known=registry(station(METER, node="X9")), slots=2)
    enrol(bench, "ST1")
    with database.writing(bench.engine) as connection:
        for issued, first in enumerate((0, 5), 1):
            message = Factors("X9", b"s" * 16, issued, SLOT_MS, DAY_MS + first * SLOT_MS, (7,))
            factor_messages.enter(connection, Signer(key_of("centre")), message)
    solve(bench, 7)
    bench.link.factors.clear()
    says(bench, StatusState.BIRTH)
    assert bench.link.factors == []
    bench.engine.dispose()


def test_a_gateway_that_is_gone_and_one_of_another_node_are_told_nothing(bench: Bench) -> None:
    solve(bench, 5)
    told(bench)
    says(bench, StatusState.OFFLINE)
    assert told(bench) == []
    says(bench, StatusState.BIRTH)
    assert {message.node for message in bench.link.factors} == {"U1"}
