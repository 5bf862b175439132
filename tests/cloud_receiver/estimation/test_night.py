"""The nightly run: when it is due, what it keeps, that it gives way and that one bad station stops no other."""

import asyncio
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, rows_of
from known_orders_support import prepared, store_orders
from sqlalchemy import select

from clock import Clock, SystemClock
from cloud_receiver import database, findings, meters
from cloud_receiver.config import Centre, Settings
from cloud_receiver.estimation import last_night, night, store, text
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.run import nightly
from cloud_receiver.registry import Registry
from cloud_receiver.schema import error_estimate
from cloud_receiver.service import Service
from diantan_core import EstimationError
from wire import keys


class Hands:
    """A clock that stands until it is set."""

    def __init__(self, now_ms: int) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms


def nights(site: Site, hands: Hands, **changes: Any) -> Nights:
    clock: Clock = hands  # type: ignore[assignment]  # it does not sleep
    return Nights(
        site.engine,
        site.registry,
        clock,
        Estimation.model_validate({"share_percent": 100, "full_every_days": SELDOM} | changes),
    )


def past(site: Site) -> list[tuple[int, int, str]]:
    with database.reading(site.engine) as connection:
        found = store.history(connection, site.context().number, 0, DAY + 100 * LENGTH)
    return [(item.end_ms, item.meter, item.decision) for item in found]


def test_a_night_is_due_at_its_time_and_keeps_what_it_says(site: Site) -> None:
    site.store(rows_of(site.numbers(), 4))
    hands = Hands(DAY + 3 * LENGTH + 150 * 60_000 - 1)
    run = nights(site, hands)
    assert asyncio.run(run.round()) == 1
    assert {end_ms for end_ms, *_ in past(site)} == {DAY + 2 * LENGTH}
    assert asyncio.run(run.round()) == 0
    hands.time_ms += 1
    assert asyncio.run(run.round()) == 1
    first, second, third = site.numbers()[:3]
    assert past(site)[3:] == [
        (DAY + 3 * LENGTH, first, "clear"),
        (DAY + 3 * LENGTH, second, "flag"),
        (DAY + 3 * LENGTH, third, "clear"),
    ]
    with database.reading(site.engine) as connection:
        assert [item.kind for item in findings.listed(connection)] == ["charger_suspect"]
        about = connection.execute(
            select(error_estimate.c.content).where(error_estimate.c.meter == 0).order_by(error_estimate.c.end_ms)
        ).scalars()
        assert '"full": false' in list(about)[-1]
    # A receiver that starts again goes on from the store.
    assert asyncio.run(nights(site, hands).round()) == 0


def test_a_station_of_orders_alone_has_its_nights_and_candidates(site: Site) -> None:
    store_orders(site, prepared(site, 0, 1, 2, days=30, by_hour=True))
    hands = Hands(DAY + 30 * LENGTH + 150 * 60_000)
    assert asyncio.run(nights(site, hands).round()) == 1
    # Windows end where the last order does, as far as no other one is open.
    assert [decision for *_, decision in past(site)] == ["clear", "flag", "clear"]
    with database.reading(site.engine) as connection:
        assert [item.kind for item in findings.listed(connection)] == ["charger_suspect"]
        halves = last_night.read(connection, site.context().number).halves
        state = store.state_of(connection, site.context().number)
    assert halves is not None
    assert (halves.agree, halves.full_ms) == (True, DAY + 30 * LENGTH)
    assert state is not None
    assert state.end_ms < state.through_ms == DAY + 30 * LENGTH
    assert asyncio.run(nights(site, hands).round()) == 0


def test_a_station_that_fails_stops_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.store(rows_of(site.numbers(), 2))
    other = site.station.model_copy(
        update={
            "id": "S0",
            "meter": tuple(item.model_copy(update={"gateway": "gw0"}) for item in site.station.meter),
        }
    )
    both = Registry(station=(other, site.station))
    with database.writing(site.engine) as connection:
        meters.enter_registry(connection, both)
    faults: list[Exception] = [RuntimeError("bad"), EstimationError("none")]

    def failing(engine: Any, context: Any, *others: Any) -> Any:
        if context.station.id == "S0":
            raise faults.pop()
        return nightly(engine, context, *others)

    monkeypatch.setattr(night, "nightly", failing)
    hands: Any = Hands(DAY + 2 * LENGTH + 9_000_000)
    while faults:
        run = Nights(site.engine, both, hands, Estimation(share_percent=100))
        hands.time_ms += LENGTH
        assert asyncio.run(run.round()) == 1


def test_a_station_that_takes_no_part_is_left_out(site: Site) -> None:
    site.store(rows_of(site.numbers(), 2))
    hands = Hands(DAY + 2 * LENGTH + 9_000_000)
    own = site.station.estimation.model_copy(update={"enabled": False})
    site.station = site.station.model_copy(update={"estimation": own})
    assert asyncio.run(nights(site, hands).round()) == 0


def test_it_waits_while_the_intake_has_work(site: Site) -> None:
    site.store(rows_of(site.numbers(), 2))
    hands: Any = Hands(DAY + 2 * LENGTH + 9_000_000)
    left = [3] * 100
    seen: list[int] = []

    def backlog() -> int:
        seen.append(len(past(site)))
        return left.pop() if left else 0

    run = Nights(site.engine, site.registry, hands, Estimation(share_percent=100), backlog)
    assert asyncio.run(run.round()) == 1
    assert not left
    assert len(seen) > 100
    assert seen[100] == 0, "nothing was kept before the intake had done its work"


def test_a_station_without_windows_is_spoken_of(site: Site) -> None:
    hands = Hands(DAY + 9_000_000)
    assert asyncio.run(nights(site, hands).round()) == 1
    assert [decision for *_, decision in past(site)] == ["undetermined"] * 3
    with database.reading(site.engine) as connection:
        assert "silent" in last_night.read(connection, site.context().number).findings
        assert findings.listed(connection) == []


def test_whoever_is_not_judged_for_two_weeks_is_named(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_of(site.numbers(), 5)
    site.store([row for row in rows if row.meter != site.numbers()[0]])
    hands = Hands(DAY + 5 * LENGTH + 9_000_000)
    for night_number in range(1, 16):
        assert asyncio.run(nights(site, hands, days=3).round()) == 1
        # A receiver that starts again within the night counts it once.
        assert asyncio.run(nights(site, hands, days=3).round()) == 1
        with database.reading(site.engine) as connection:
            said = last_night.read(connection, site.context().number)
            kinds = {item.kind for item in findings.listed(connection)}
        assert kinds == ({"charger_unjudged"} if night_number >= 14 else set())
        assert set(said.nights.values()) == {night_number}
        assert ("unjudged" in said.findings) == (night_number >= 14)
        assert ("C01 not judged for 14 nights: station" in caplog.text) == (night_number >= 14)
        hands.time_ms += LENGTH
    with database.reading(site.engine) as connection:
        history = store.history(connection, site.context().number, 0, DAY + 100 * LENGTH)
    assert store.drifts(history) == []
    assert "C01: 15 nights running 夜: a finding about the station" in text.past(
        history, [], {site.numbers()[0]: "C01"}, ZoneInfo("Asia/Shanghai")
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_the_receiver_runs_it_where_it_is_enabled(site: Site, tmp_path: Path, *, enabled: bool) -> None:
    key = tmp_path / "centre.key"
    keys.save_private(keys.generate("ed25519"), str(key))
    settings = Settings(centre=Centre(key_file=key), estimation=Estimation(enabled=enabled))

    async def names() -> set[str]:
        tasks = Service(settings, site.registry, SystemClock(), site.engine)._parts()  # before any link
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return {task.get_name() for task in tasks}

    assert ("estimation" in asyncio.run(names())) is enabled
