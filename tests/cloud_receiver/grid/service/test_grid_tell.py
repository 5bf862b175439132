"""Findings from a day's slots, and the outlet to the broker."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from grid_service_support import FakeLink
from key_support import key_of

from clock import ManualClock
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.factor_rounds import Unsent
from cloud_receiver.grid.service import outlet as outlet_module
from cloud_receiver.grid.service.outlet import Outlet, Told
from cloud_receiver.grid.service.tell import KINDS, drafts
from wire import topics
from wire.envelope import Signer
from wire.grid_feed import GridSlot
from wire.messages import Factors

NOTHING: dict[str, Any] = {"count": 0, "first": []}


def summary(**changes: Any) -> dict[str, Any]:
    return {"told": 5, "missing": NOTHING, "late": NOTHING, "flagged": NOTHING} | changes


def some(*items: Any) -> dict[str, Any]:
    return {"count": len(items), "first": list(items)}


def reconciled(probability: float | None, **changes: Any) -> dict[str, Any]:
    told = {"before_megawatts": 9.0, "before_share": 0.1, "chi_square": 99.0, "degrees_of_freedom": 3}
    return {**told, "probability": probability, "worst": [["N1", 9.0]], "bad_data": NOTHING, **changes}


def test_a_good_day_has_no_findings() -> None:
    assert drafts([(0, summary(reconciliation=reconciled(0.5))), (900_000, summary())]) == []


def test_one_a_kind_and_subject() -> None:
    bad = ["branch", "L1", "from", 50.0, 40.0, 7.5, True]
    official = some(["N7", "official"], ["N8", "official"])
    slots = [
        (0, summary(missing=some("load a", "load b"), late=some("load c"))),
        (1, summary(missing=some("load a"), flagged=some(["generator G", "factor: too much"]))),
        (2, summary(reconciliation=reconciled(1e-9, bad_data=some(bad)), no_source=some("N7", "N8"))),
        (3, summary(fallback=some(["N7", "held"]))),
        (
            4,
            summary(fallback=official, official={"year": 2023}, error="not solved: x"),
        ),
    ]
    found = {(draft.kind, draft.subject): draft for draft in drafts(slots, [(3, "ST1", "N9")])}
    assert set(found) == {
        *(("grid_missing", "load a"), ("grid_missing", "load b"), ("grid_late", "load c")),
        *(("grid_flagged", "generator G"), ("grid_bad_data", "branch L1"), ("grid_imbalance", "grid")),
        *(
            ("grid_island", "node N7"),
            ("grid_fallback", "grid"),
            ("grid_unsolved", "grid"),
            ("grid_station", "station ST1"),
        ),
    }
    assert {kind for kind, _ in found} == set(KINDS)
    missing = found["grid_missing", "load a"]
    assert (missing.first_ms, missing.last_ms, missing.evidence) == (0, 1, {"slots": 2})
    assert found["grid_bad_data", "branch L1"].evidence["residual"] == 7.5
    fallback = found["grid_fallback", "grid"]
    assert (fallback.severity, fallback.evidence["most_nodes"], fallback.evidence["slots"]) == ("alarm", 2, 2)
    assert found["grid_imbalance", "grid"].evidence["nodes"] == ["N1"]


def test_many_subjects_are_one_finding() -> None:
    names = [f"load {number:03}" for number in range(21)]
    (found,) = drafts([(0, summary(missing=some(*names)))])
    assert (found.subject, found.evidence["subjects"], len(found.evidence["first"])) == ("grid", 21, 20)


def test_where_nothing_came_the_elements_are_not_told_of_one_by_one() -> None:
    (found,) = drafts([(0, summary(told=0, missing=some("load a"), error="not solved: nothing was measured"))])
    assert found.kind == "grid_unsolved"


@pytest.mark.parametrize(("probability", "freedom", "count"), [(1e-4, 3, 0), (1e-6, 3, 1), (1e-6, 0, 0), (None, 3, 1)])
def test_only_an_improbable_imbalance_is_a_finding(probability: float | None, freedom: int, count: int) -> None:
    told = reconciled(probability, degrees_of_freedom=freedom)
    assert len(drafts([(0, summary(reconciliation=told))])) == count


def message(number: int) -> Dispatched:
    factors = Factors("N1", b"s", number, 900_000, 0, (number,))
    topic = topics.factor("N1")
    return Dispatched(factors, topic, Signer(key_of("centre")).sign(factors.encode(), topic))


class Stored:
    """Messages as a store has them."""

    def __init__(self, *standing: int) -> None:
        self.waiting: list[Unsent] = []
        self._standing = [message(number) for number in standing]

    def put(self, *numbers: int) -> None:
        for item in map(message, numbers):
            self.waiting.append(Unsent("N1", 0, item.message.issued_ms, item.topic, item.envelope))

    def unsent(self, limit: int) -> list[Unsent]:
        return self.waiting[:limit]

    def sent(self, messages: Sequence[Unsent]) -> None:
        self.waiting = [item for item in self.waiting if item not in messages]

    def standing(self) -> list[Dispatched]:
        return self._standing


def fed(start_ms: int) -> bytes:
    none = bytes(32)
    return GridSlot("centre", start_ms, 900_000, 1, none, 0, none, {}, {}, 0, 1, (), (), (), ()).encode()


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def test_what_is_unsent_goes_first_and_what_stands_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet_module, "AT_ONCE", 2)

    async def scenario() -> list[int]:
        link, stored = FakeLink(), Stored(9)
        outlet = Outlet(link, ManualClock(), stored)
        stored.put(1, 2, 3)
        task = asyncio.create_task(outlet.run())
        await settle()
        stored.put(4)
        outlet.put()
        await settle()
        outlet.connected()
        await settle()
        task.cancel()
        assert not stored.waiting
        return [item.factors[0] or 0 for item in link.factors]

    assert asyncio.run(scenario()) == [1, 2, 3, 9, 4, 9]


def test_a_broken_link_loses_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[list[int], int]:
        link, stored = FakeLink(), Stored()
        outlet = Outlet(link, ManualClock(), stored)
        link.broken = True
        task = asyncio.create_task(outlet.run())
        for number in range(3):
            stored.put(number)
            outlet.put()
            await settle()
        link.broken = False
        outlet.connected()
        await settle()
        task.cancel()
        return [item.factors[0] or 0 for item in link.factors], outlet.failures

    told, failures = asyncio.run(scenario())
    assert told == [0, 1, 2]
    assert failures == 3
    assert caplog.text.count("can't be published") == 1


def test_too_much_of_the_feed_drops_the_oldest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outlet_module, "MOST_WAITING", 3)

    async def scenario() -> list[int]:
        link = FakeLink()
        outlet = Outlet(link, ManualClock(), Stored())
        signer = Signer(key_of("centre"))
        outlet.put([Told(topics.GRID_FEED, signer.sign(fed(number), topics.GRID_FEED)) for number in range(5)])
        task = asyncio.create_task(outlet.run())
        await settle()
        task.cancel()
        return [item.start_ms for item in link.feed]

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(scenario()) == [2, 3, 4]
    assert "oldest are dropped" in caplog.text


def test_a_feed_that_the_broker_does_not_take_is_tried_again() -> None:
    async def scenario() -> int:
        link = FakeLink()
        link.broken = True
        outlet = Outlet(link, ManualClock(), Stored())
        outlet.put([Told(topics.GRID_FEED, b"x")])
        task = asyncio.create_task(outlet.run())
        await settle()
        task.cancel()
        return outlet.failures

    assert asyncio.run(scenario()) == 1
