"""Bytes an interval record takes on the wire, signature included, in batches of 64 from a realistic station."""

import json
import random
from dataclasses import asdict, astuple

import cbor2

from wire import keys, topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality, Record

LIMIT_BYTES = 24  # an interval record, signature included (design section 6)
BATCH = 64
INTERVAL_MS = 900_000
START_MS = 1_790_000_100_000
AC_MW, DC_MW = 7_000_000, 60_000_000  # 7 kW and 60 kW
METERS = 13  # 12 chargers, every third of them DC, and the grid side
GATEWAY = "station-0001-gw"


class Meter:
    """A charger's registers through a day of sessions."""

    def __init__(self, name: str, power_mw: int, chance: random.Random) -> None:
        self.name = name
        self.power_mw = power_mw
        self.chance = chance
        self.charging = chance.random() < 0.5
        self.energy_mwh = chance.randrange(2 * 10**9, 3 * 10**11)  # 2 MWh to 300 MWh metered so far
        self.carbon_ng = self.energy_mwh * 570_000 + chance.randrange(1000)

    def close(self, slot: int, factor: int) -> IntervalRecord:
        """Return the interval of a slot: charging at a load that varies, or idle with the charger's stand-by."""
        if self.chance.random() < 0.15:
            self.charging = not self.charging
        load = self.power_mw * self.chance.randrange(700, 1001) // 1000 if self.charging else 0
        energy = (load + self.chance.randrange(3_000, 15_000)) * INTERVAL_MS // 3_600_000
        before_ug = self.carbon_ng // 1000
        self.energy_mwh += energy
        self.carbon_ng += energy * factor
        readings = 15 if self.chance.random() < 0.9 else 14
        return IntervalRecord(
            self.name,
            START_MS + slot * INTERVAL_MS,
            INTERVAL_MS,
            energy,
            0,
            self.energy_mwh,
            0,
            factor,
            FactorQuality.DISPATCHED,
            self.carbon_ng // 1000 - before_ug,
            0,
            self.carbon_ng // 1000,
            0,
            readings,
            Quality.MEASURED if self.chance.random() < 0.95 else Quality.INTERPOLATED,
        )


def station(meters: int, *, shuffled: bool = True) -> list[Record]:
    """Return a batch of intervals as a gateway journals them: slot after slot, the meters of a slot as they answer."""
    chance = random.Random(79)
    names = [f"charger-{index + 1:02}" for index in range(meters)]
    if meters > 1:
        names[-1] = "grid-01"
    all_meters = [Meter(name, DC_MW if index % 3 == 2 else AC_MW, chance) for index, name in enumerate(names)]
    records: list[Record] = []
    slot, factor = 0, 581_000
    while len(records) < BATCH:
        order = list(all_meters)
        if shuffled and slot % 2:
            first, second = sorted(chance.sample(range(meters), 2)) if meters > 1 else (0, 0)
            order[first], order[second] = order[second], order[first]
        records += [meter.close(slot, factor) for meter in order]
        slot += 1
        factor += chance.randrange(-9_000, 9_001)
    return records[:BATCH]


def sizes(records: list[Record]) -> tuple[int, int, int]:
    """Return the bytes of the signed batch, of a signed JSON text and of signed row-wise CBOR of the same records."""
    signer = Signer(keys.generate())
    topic = topics.records(GATEWAY)
    head = {"gateway": GATEWAY, "context": "0123456789abcdef", "first": 100_001, "created_ms": START_MS}
    message = RecordBatchMessage(GATEWAY, bytes(range(8)), 100_001, START_MS, ClockState.SYNCHRONISED, records)
    as_json = json.dumps({**head, "records": [asdict(record) for record in records]}, separators=(",", ":"))
    rows = cbor2.dumps(
        [*head.values(), [[int(item) if isinstance(item, int) else item for item in astuple(r)] for r in records]]
    )
    return tuple(len(signer.sign(payload, topic)) for payload in (encode_batch(message), as_json.encode(), rows))  # type: ignore[return-value]  # three of three


def run() -> list[str]:
    """Return the table's lines."""
    lines = [f"wire size: bytes per interval record, Ed25519 signature included, batch of {BATCH}"]
    cases = (
        (f"{METERS} meters x ~5 intervals", station(METERS)),
        ("1 meter x 64 intervals", station(1)),
        ("64 meters x 1 interval (worst)", station(64, shuffled=False)),
    )
    for name, records in cases:
        ours, as_json, rows = (size / len(records) for size in sizes(records))
        verdict = f"limit {LIMIT_BYTES}: {'pass' if ours <= LIMIT_BYTES else 'FAIL'}"
        lines.append(
            f"  {name:<31} {ours:6.1f}   JSON {as_json:6.1f} ({as_json / ours:4.1f}x)"
            f"   row-wise CBOR {rows:6.1f} ({rows / ours:4.1f}x)   {verdict}"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
