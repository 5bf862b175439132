"""The facts of a gateway: kept with its newest status, and shown."""

import json

from intake_support import Bench, Message
from receiver_support import DAY_MS, FakeGateway
from sqlalchemy import Engine

from cloud_receiver import gateway_facts
from cloud_receiver.schema import gateway_status
from wire import topics
from wire.envelope import Signer
from wire.messages import Status, StatusState
from wire.records import ClockState
from wire.status_facts import Backlog, Overdue

FACTS = (
    Backlog(7, 512, 61_000),
    3,
    {0: 2, 2: 0, 9: 1},
    -5,
    Overdue(40, 2, 900_000, (("c'1\n", None), ("桩2", 905_000))),
)


def status(gateway: FakeGateway, sequence: int, *facts: object, state: StatusState, retained: bool = False) -> Message:
    told = Status(
        gateway.name, state, DAY_MS - 250, gateway.context, sequence, 0, ClockState.SYNCHRONISED, 0, *facts
    ).encode()
    topic = topics.status(gateway.name)
    return Message(topic, Signer(gateway.key).sign(told, topic), retained=retained)


def test_the_facts_of_the_newest_status_are_kept(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(status(gateway, 5, *FACTS, state=StatusState.HEALTH))
    (row,) = bench.rows(gateway_status)
    assert gateway_facts.shown(row.facts) == {
        "backlog": {"records": 7, "size": 512, "oldest_age_ms": 61_000},
        "resent": 3,
        "dropped": {"storage": 2, "stale": 0, "reason_9": 1},
        "clock_offset_ms": -5,
        "clock_against_centre_ms": -250,
        "overdue": {
            "meters": 40,
            "overdue": 2,
            "limit_ms": 900_000,
            "worst": [{"meter": "c'1\n", "age_ms": None}, {"meter": "桩2", "age_ms": 905_000}],
        },
    }
    assert gateway_facts.line(row.facts) == (
        "backlog 7 records, 512 bytes, the oldest 61 s old  3 batches resent  dropped 2 storage, 1 reason_9  "
        "clock offset -5 ms, -250 ms to the centre  2 of 40 meters overdue (\"c'1\\n\" never read, '桩2' 905 s)"
    )
    # The will says only that the gateway is gone.
    bench.take(status(gateway, 5, state=StatusState.OFFLINE))
    (gone,) = bench.rows(gateway_status)
    assert (gone.state, gone.facts) == (StatusState.OFFLINE, row.facts)


def test_of_a_status_that_the_broker_had_kept_nobody_knows_how_long(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(status(gateway, 5, *FACTS, state=StatusState.HEALTH, retained=True))
    (row,) = bench.rows(gateway_status)
    assert json.loads(row.facts)["clock_against_centre_ms"] is None
    assert "to the centre" not in str(gateway_facts.line(row.facts))


def test_a_gateway_that_tells_none_has_none(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(status(gateway, 5, state=StatusState.HEALTH))
    assert bench.rows(gateway_status)[0].facts is None
    assert gateway_facts.shown(None) is gateway_facts.line(None) is None
