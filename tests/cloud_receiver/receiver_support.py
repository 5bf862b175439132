"""Gateways that sign, records and stations, for the receiver's tests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from key_support import new_key
from sqlalchemy import Engine, select

from cloud_receiver import database, enrolment, schema
from cloud_receiver.registry import Auxiliary, Loss, Meter, Role, Station
from wire import topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.keys import PrivateKey
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality, Record

SLOT_MS = 900_000
DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
FACTOR = 570_300


@dataclass(frozen=True)
class FakeGateway:
    """Signs batches as a gateway does."""

    name: str
    key: PrivateKey
    context: bytes = b"journal1"

    @property
    def topic(self) -> str:
        return topics.records(self.name)

    def payload(self, first: int, records: list[Record], *, context: bytes | None = None) -> bytes:
        return encode_batch(
            RecordBatchMessage(self.name, context or self.context, first, DAY_MS, ClockState.SYNCHRONISED, records)
        )

    def envelope(self, first: int, records: list[Record], *, context: bytes | None = None) -> bytes:
        return Signer(self.key).sign(self.payload(first, records, context=context), self.topic)


def interval(
    number: int,
    meter: str = "C01",
    *,
    energy: int = 1_000_000,
    factor: int | None = FACTOR,
    quality: Quality = Quality.MEASURED,
) -> IntervalRecord:
    """Return the interval of slot `number` of the day, of a meter that counts `energy` in every slot."""
    total = energy * (number + 1)
    carbon = [energy * count * (factor or 0) // 1000 for count in (number, number + 1)]
    return IntervalRecord(
        meter,
        DAY_MS + number * SLOT_MS,
        SLOT_MS,
        energy,
        0,
        total,
        0,
        factor,
        FactorQuality.DISPATCHED if factor is not None else FactorQuality.UNDEFINED,
        carbon[1] - carbon[0],
        0,
        carbon[1],
        0,
        15,
        quality,
    )


def station_model(chargers: int = 3, **changes: object) -> Station:
    """Return a station S1 with chargers C01.., the grid-side meter G and no loss."""
    meter = [
        Meter(id=f"C{number:02}", role=Role.CHARGER, gateway="gw1", rated_kw=Decimal(60), accuracy_class=Decimal(1))
        for number in range(1, chargers + 1)
    ]
    grid = Meter(id="G", role=Role.GRID, gateway="gw1", rated_kw=Decimal(400), accuracy_class=Decimal("0.5"))
    values: dict[str, object] = {
        "id": "S1",
        "name": "East car park",
        "node": "node1",
        "meter": (*meter, grid),
        "loss": Loss(),
        "auxiliary": Auxiliary(),
    }
    return Station.model_validate(values | changes)


def enrol(engine: Engine, name: str) -> FakeGateway:
    """Enrol a gateway of station S1."""
    key = new_key()
    with database.writing(engine) as connection:
        enrolment.add(connection, name, key.public_key(), "S1", 0)
    return FakeGateway(name, key)


def stored_sequences(engine: Engine, context: bytes = b"journal1") -> list[int]:
    """Return the sequences of the interval records of a journal; a record stored twice would show twice."""
    with database.reading(engine) as connection:
        return sorted(
            connection.execute(
                select(schema.interval.c.sequence)
                .join(schema.journal, schema.journal.c.id == schema.interval.c.journal)
                .where(schema.journal.c.context == context)
            ).scalars()
        )


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds; pytest's time limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
        await asyncio.sleep(0.001)
