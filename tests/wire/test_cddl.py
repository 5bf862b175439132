"""Every message this package writes is what docs/wire.cddl says, and the validator does notice what is not.

The validator (pycddl) takes any key for one of `* int => extension`, so that line is left out: what is written here has
no unknown keys anyway. Some wrong types it lets pass; tests/core/test_batch_malformed.py holds the decoder to those.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest

from wire import envelope, keys, row
from wire.batch import RecordBatchMessage, encode_batch
from wire.commands import Command, Outcome, Reply
from wire.grid_feed import GridSlot
from wire.levels import Statement, Totals
from wire.messages import Acknowledgement, Factors, Live, Origin, Status, StatusState
from wire.orders import Configure, ConfigureAction, Order, Read, ReadDay, Resend, TellStatus, Verb
from wire.records import (
    AdjustmentRecord,
    ClockState,
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)
from wire.results import (
    Configuration,
    ConfigurationState,
    DayRead,
    Figures,
    MeterRead,
    Resent,
    Result,
    SlotFactor,
    StoredFreeze,
)
from wire.status_facts import Backlog, Overdue

CDDL = (Path(__file__).parents[2] / "docs" / "wire.cddl").read_text(encoding="utf-8")
NOW = 1_790_000_000_000
CONTEXT = bytes(8)


def schema(root: str, *, closed: bool = True) -> pycddl.Schema:
    text = "".join(line for line in CDDL.splitlines(keepends=True) if not (closed and "* int => extension" in line))
    return pycddl.Schema(f"start = {root}\n{text}")


def interval(meter: str, slot: int, factor: int | None) -> IntervalRecord:
    quality = FactorQuality.UNDEFINED if factor is None else FactorQuality.HELD
    start = NOW + slot * 900_000
    return IntervalRecord(
        meter, start, 900_000, slot, 1, slot, 10**12, factor, quality, 1, 0, -5, 10**12, 14 + slot % 2, Quality.PARTIAL
    )


RECORDS: list[Record] = [
    *(interval(f"m{slot % 3}", slot, None if slot % 4 == 3 else 500_000 + slot) for slot in range(12)),
    FreezeRecord("m1", NOW, FreezeKind.DAILY, 1, 2, 3, 10**15, FreezeSource.METER),
    FreezeRecord("m2", NOW, FreezeKind.MONTHLY, 1, 2, -3, 4, FreezeSource.GATEWAY_PARTIAL),
    AdjustmentRecord("m1", NOW, 900_000, 3, 4, None, 6, 7, -8, b"s"),
    AdjustmentRecord("m1", NOW, 900_000, 3, 4, 5, None, 7, -8, b"t"),
    EventRecord(None, NOW, EventCode.CONTEXT_OPENED, {1: 5, 7: "x"}),
    EventRecord("m1", NOW, EventCode.RESET),
]
BATCHES: dict[str, list[Record]] = {
    "all kinds": RECORDS,
    "one interval": RECORDS[:1],
    "one meter without a factor": [interval("m", 1, None), interval("m", 2, None)],
    "runs": [interval("m", slot, 500_000 + slot // 20) for slot in range(60)],
    "events of the gateway": [RECORDS[-2]],
    "adjustments": RECORDS[14:16],
}
TOTALS = Totals(*range(10))
MESSAGES: dict[str, Acknowledgement | Factors | Status | Live | GridSlot] = {
    "acknowledgement": Acknowledgement("gw", CONTEXT, 4, ((6, 7), (9, 9)), NOW),
    "factors": Factors(
        *("node", b"s", NOW, 900_000, NOW, (1, None, 2**32 - 1)),
        solve_ids=(b"a", b"b", b"c"),
        origins=(Origin.SOLVED, Origin.HELD, Origin.OFFICIAL),
    ),
    "status": Status(
        *("gw", StatusState.HEALTH, NOW, CONTEXT, 1, 0, ClockState.STEPPED, 3),
        backlog=Backlog(1, 80, 0),
        resent=2,
        dropped_by={0: 3, 255: 1},
        clock_offset_ms=-3,
        overdue=Overdue(3, 2, 900_000, (("m", None), ("n", 900_001))),
    ),
    "grid-slot": GridSlot(
        *("centre", NOW, 900_000, 2, bytes(32), NOW, bytes(32), {1: 5, 7: -5}, {}, 1, 4, ("a", "b")),
        *((None, 2**32 - 1), (Origin.HELD, Origin.SOLVED), (5, 0)),
    ),
    "live": Live("gw", NOW, (("m", NOW, {"power": -5, "voltage_a": 230_000}), ("n", NOW, {}))),
}
ID = bytes(16)
DIGEST = bytes(32)
ORDERS = [
    Read("m", ("power",)),
    ReadDay("2026-07-01", ("m",), from_meters=True),
    Resend(CONTEXT, 1, 9),
    TellStatus(),
    Configure(ConfigureAction.SHOW),
    Configure(ConfigureAction.SET, "a = 1", DIGEST, 60),
]
FREEZE = FreezeRecord("m1", NOW, FreezeKind.DAILY, 1, 2, 3, 10**15, FreezeSource.METER)
RESULTS = [
    (Verb.READ, MeterRead("m", NOW, {"power": -5}, {"voltage_a": "no value"})),
    (
        Verb.READ_DAY,
        DayRead((StoredFreeze(0, FREEZE),), (SlotFactor(NOW, None, NOW, b"s"), SlotFactor(NOW, 1, NOW, b"s")), {}),
    ),
    (Verb.RESEND, Resent(((1, 2),), ((3, 3), (5, 9)))),
    (Verb.STATUS, Figures({"version": "1", "line.a.ok": 2})),
    (Verb.CONFIGURE, Configuration(ConfigurationState.FILE, DIGEST)),
    (Verb.CONFIGURE, Configuration(ConfigurationState.ON_TRIAL, DIGEST, DIGEST, "a = 1", ("a: b",))),
]


def batch(records: list[Record]) -> bytes:
    return encode_batch(RecordBatchMessage("gw", CONTEXT, 1, NOW, ClockState.UNKNOWN, records))


@pytest.mark.parametrize("name", BATCHES)
def test_batches(name: str) -> None:
    schema("records").validate_cbor(batch(BATCHES[name]))
    schema("message", closed=False).validate_cbor(batch(BATCHES[name]))


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name: str) -> None:
    schema(name).validate_cbor(MESSAGES[name].encode())


def test_statements_between_centres() -> None:
    column = (1, None)
    stated = Statement("a", "b", "n", NOW, 900_000, NOW, *[column] * 6, (NOW,), 2000, 10, (TOTALS, None))
    stated = replace(stated, origins=(Origin.SOLVED, Origin.OFFICIAL))
    bare = Statement("a", "b", "n", NOW, 900_000, NOW, *[()] * 6)
    for message in (stated, bare):
        schema("statement").validate_cbor(message.encode())
    # Of the whole statement the validator takes keys of another choice for those of this one.
    schema("message", closed=False).validate_cbor(bare.encode())


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_commands(order: Order) -> None:
    schema("command").validate_cbor(Command("gw", ID, NOW, NOW + 1, order).encode())


@pytest.mark.parametrize(("verb", "result"), RESULTS, ids=lambda item: getattr(item, "name", ""))
def test_replies(verb: Verb, result: Result) -> None:
    schema("reply").validate_cbor(Reply("gw", ID, NOW, Outcome.DONE, "", verb, result).encode())
    schema("reply").validate_cbor(Reply("gw", ID, NOW, Outcome.REFUSED, "no").encode())


@pytest.mark.parametrize(
    "changes",
    [{2: bytes(15)}, {3: "x"}, {5: -1}, {6: []}],
)
def test_the_validator_notices_a_wrong_command(changes: dict[int, Any]) -> None:
    data = Command("gw", ID, NOW, NOW + 1, TellStatus()).encode()
    with pytest.raises(pycddl.ValidationError):
        schema("command").validate_cbor(cbor2.dumps({**cbor2.loads(data), **changes}))


def test_record_bodies() -> None:
    bodies = schema("record-body")
    for record in RECORDS:
        bodies.validate_cbor(row.to_body(record))


def test_the_envelope() -> None:
    signed = envelope.Signer(keys.generate()).sign(b"payload", "topic")
    schema("envelope").validate_cbor(signed)
    schema("protected-headers").validate_cbor(cbor2.loads(signed).value[0])


def test_unknown_keys_are_allowed() -> None:
    value = {**cbor2.loads(batch(RECORDS)), 99: [1, {"a": None}, b"", [True]], -1: "x"}
    schema("records", closed=False).validate_cbor(cbor2.dumps(value))


@pytest.mark.parametrize(
    ("root", "changes"),
    [
        ("records", {0: 2}),
        ("records", {1: ""}),
        ("records", {2: b"1234567"}),
        ("records", {3: 0}),
        ("records", {4: 4097}),
        ("records", {5: -1}),
        ("records", {7: [1]}),
        ("records", {8: "x"}),
        ("records", {99: 1}),
        ("records", {9: {0: 1}}),
        ("acknowledgement", {4: [[1]]}),
        ("acknowledgement", {4: [[1, "x"]]}),
        ("factors", {6: []}),
        ("factors", {6: [-1]}),
        ("factors", {4: 0}),
        ("status", {2: 3}),
        ("status", {9: [1, 2]}),
        ("status", {11: {0: "x"}}),
        ("status", {13: [3, 2, 1, [["m", "x"]]]}),
        ("live", {3: [["m", NOW]]}),
        ("live", {3: [["m", NOW, {"power": "x"}]]}),
    ],
)
def test_the_validator_notices(root: str, changes: dict[int, Any]) -> None:
    data = batch(RECORDS) if root == "records" else MESSAGES[root].encode()
    with pytest.raises(pycddl.ValidationError):
        schema(root).validate_cbor(cbor2.dumps({**cbor2.loads(data), **changes}))
