"""Hostile messages for the intake, each with the reasons for which it may be refused.

The faults of a payload come three times: bare, as an unsigned envelope's headers, and signed by an enrolled gateway
that has gone bad, which is the only way past the signature.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cbor2

from cloud_receiver.refusal import Reason
from wire import topics
from wire.commands import Outcome, Reply
from wire.envelope import MAX_ENVELOPE_BYTES, Signer
from wire.messages import Acknowledgement, Status, StatusState
from wire.orders import Verb
from wire.records import ClockState
from wire.results import Figures

UNSIGNED = frozenset({Reason.MALFORMED, Reason.TOO_LARGE, Reason.WRONG_ALGORITHM})
SIGNED = frozenset({Reason.PAYLOAD, Reason.TOO_LARGE})
_KIB_64 = 1 << 16
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Hostile:
    """A message that must not become a reading."""

    name: str
    topic: str
    payload: bytes
    reasons: frozenset[Reason]


def ordered(value: object) -> object:
    """Return the value with the keys of its maps in the order of their bytes: only what is meant to be wrong is."""
    if not isinstance(value, dict):
        return value
    return {key: ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}


def _bignum(size: int) -> bytes:
    return b"\xc2\x5a" + struct.pack(">I", size) + b"\xff" * size


def not_deterministic() -> dict[str, bytes]:
    """Return items that no message may hold anywhere, by what is wrong with them."""
    return {
        "array in array, 500 000 deep": b"\x81" * 500_000,
        "map in map, 100 000 deep": b"\xa1\x00" * 100_000,
        "map as a map's key, 1000 deep": b"\xa1" * 1000 + b"\x00" * 1001,
        "tag in tag, 100 000 deep": b"\xc6" * 100_000 + b"\x00",
        "bignum of 9 bytes": b"\xc2\x49\x01" + bytes(8),
        "bignum of 1 MB": _bignum(1_000_000),
        "negative bignum": b"\xc3\x49\x01" + bytes(8),
        "decimal fraction with a bignum": b"\xc4\x82\x00" + _bignum(500_000),
        "bigfloat with a huge exponent": b"\xc5\x82\x1b\x00\x00\x00\xff\xff\xff\xff\xff\x03",
        "rational of two bignums": b"\xd8\x1e\x82" + _bignum(400_000) + _bignum(399_999),
        "regular expression that backtracks": b"\xd8\x23" + cbor2.dumps("(a+)+" * 20 + "$"),
        "date": b"\xc0" + cbor2.dumps("2026-07-01T00:00:00Z"),
        "shared reference to itself": b"\xd8\x1c\x81\xd8\x1d\x00",
        "string references": b"\xd9\x01\x00\x82\x63abc\xd8\x19\x00",
        "NaN": b"\xf9\x7e\x00",
        "NaN with a payload": b"\xfb\x7f\xf8\x00\x00\x00\x00\xbe\xef",
        "infinity": b"\xfa\x7f\x80\x00\x00",
        "1.5": b"\xf9\x3e\x00",
        "undefined": b"\xf7",
        "simple value": b"\xf8\xff",
        "break without a beginning": b"\xff",
        "indefinite array": b"\x9f\x01\x02\xff",
        "indefinite array without an end": b"\x9f" * 10_000,
        "indefinite map": b"\xbf\x01\x02\xff",
        "indefinite bytes": b"\x5f\x41\x00\xff",
        "indefinite text": b"\x7f\x61a\xff",
        "integer in a longer form": b"\x1b" + bytes(7) + b"\x05",
        "length in a longer form": b"\x58\x01\x00",
        "text that is not UTF-8": b"\x62\xc3\x28",
        "array of 2^64 - 1 items": b"\x9b" + b"\xff" * 8,
        "map of 2^64 - 1 entries": b"\xbb" + b"\xff" * 8,
        "bytes of 2^63": b"\x5b\x80" + bytes(7),
        "a key twice": b"\xa2\x01\x00\x01\x00",
        "keys out of order": b"\xa2\x02\x00\x01\x00",
    }


def payloads(good: bytes) -> Iterator[tuple[str, bytes, frozenset[Reason]]]:
    """Yield (what is wrong, payload, reasons) of batches that are not; `good` is one that is."""
    batch: dict[int, Any] = cbor2.loads(good)
    for name, item in not_deterministic().items():
        yield f"{name}, alone", item, SIGNED
        # Key 99 is unknown, and read over; a batch has fewer than 22 keys.
        yield f"{name}, under an unknown key", bytes([good[0] + 1]) + good[1:] + b"\x18\x63" + item, SIGNED
    for name, item in {
        "nothing": b"",
        "an empty map": b"\xa0",
        "a number": b"\x00",
        "null": b"\xf6",
        "a megabyte of empty arrays": b"\x9a\x00\x0f\x00\x00" + b"\x80" * 0xF0000,
        "a megabyte of empty maps": b"\xa2\x00\x01\x01\x9a\x00\x0f\x00\x00" + b"\xa0" * 0xF0000,
        "bytes behind the end": good + b"\x00",
        "two batches": good + good,
        "a key twice": bytes([good[0] + 1]) + good[1:3] + good[1:],
    }.items():
        yield name, item, SIGNED
    for end in sorted({1, 2, 3, len(good) // 4, len(good) // 2, len(good) - 1}):
        yield f"truncated after {end} of {len(good)} bytes", good[:end], SIGNED
    for key in range(9):
        without = {name: value for name, value in batch.items() if name != key}
        if key != 8:  # what is shared with the name before: 0 where the key is missing
            yield f"key {key} missing", cbor2.dumps(ordered(without)), SIGNED
        values: tuple[Any, ...] = (None, True, -1, 2**64, 1.5, "x" * 65, b"", [], {}, [[]], {1: {}})
        for value in values:
            changed = cbor2.dumps(ordered({**batch, key: value}))
            # What is 0 or nothing by another spelling is no fault of a batch of one meter.
            if not (key == 7 and value == []) and not (key == 8 and value in ({}, [])):
                yield f"key {key} is {value!r:.20}", changed, SIGNED
    for version in (2, 3, 23, 24, 255, 2**32, 2**64 - 1):
        future = cbor2.dumps(ordered({**batch, 0: version}))
        yield f"schema version {version}", future, frozenset({Reason.FUTURE_SCHEMA})
    yield "schema version 2 and nothing else", b"\xa1\x00\x02", frozenset({Reason.FUTURE_SCHEMA})
    group = batch[9]
    wrong: dict[str, dict[int, Any]] = {
        "more rows than records": {0: 4096},
        "no rows": {0: 0},
        "a negative energy": {6: -1},
        "an energy beyond 2^61": {6: 2**61 + 1},
        "a sum beyond 2^61": {8: 2**61, 6: 2**61},
        "a negative duration": {5: -1},
        "a time beyond 2^53": {3: 2**53 + 1},
        "an unknown quality": {21: 4},
        "a meter that is not named": {2: 4095},
        "rows that end behind the last": {6: {0: 1, 2**63: 2}},
        "packed into no whole rows": {6: b"\x01" * 4099},
        "a factor and none": {16: None},
    }
    for name, columns in wrong.items():
        yield name, cbor2.dumps(ordered({**batch, 9: {**group, **columns}})), SIGNED
    yield "more records than there are rows", cbor2.dumps(ordered({**batch, 4: batch[4] + 1})), SIGNED
    yield "a status", _status("gw1").encode(), SIGNED
    yield "an acknowledgement", Acknowledgement("gw1", bytes(8), 10**9, (), 5).encode(), SIGNED


def _status(gateway: str) -> Status:
    return Status(gateway, StatusState.BIRTH, 1, b"hostile!", 1, 0, ClockState.SYNCHRONISED)


def _of_algorithm(number: int, envelope: bytes) -> bytes:
    protected, *others = cbor2.loads(envelope).value
    headers = cbor2.loads(protected) | {1: number}
    return cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps(headers, canonical=True), *others]))


def corpus(
    gateway: str, good: bytes, *, signer: Signer, stranger: Signer, other: str, other_signer: Signer
) -> list[Hostile]:
    """Return hostile messages on the topics of `gateway`, whose key is `signer`'s.

    `good` is the payload of a batch of that gateway which must not be stored. `stranger` has a key that nobody
    enrolled, `other_signer` that of another gateway, `other`.
    """
    topic = topics.records(gateway)
    found = []
    for name, payload, reasons in payloads(good):
        found.append(Hostile(f"unsigned: {name}", topic, payload, UNSIGNED))
        header = b"\xd2\x84\x5a" + struct.pack(">I", len(payload)) + payload + b"\xa0\x40\x40"
        found.append(Hostile(f"as headers: {name}", topic, header, UNSIGNED))
        if len(payload) < MAX_ENVELOPE_BYTES - 200:
            found.append(Hostile(f"signed: {name}", topic, signer.sign(payload, topic), reasons))
            status = topics.status(gateway)
            as_status = Hostile(f"status: {name}", status, signer.sign(payload, status), reasons | SIGNED)
            found += [as_status] if name != "a status" else []
            reply = topics.reply(gateway)
            if len(payload) < _KIB_64:  # many larger ones are put off: cloud_receiver.orders.budget
                found.append(Hostile(f"reply: {name}", reply, signer.sign(payload, reply), reasons | SIGNED))
    envelope = signer.sign(good, topic)
    only = {reason: frozenset({reason}) for reason in Reason}
    flipped = bytearray(envelope)
    flipped[-1] ^= 1
    changed = bytearray(envelope)
    changed[len(envelope) // 2] ^= 1
    elsewhere = topics.records(other)
    found += [
        Hostile("oversized", topic, bytes(_MIB + 1), only[Reason.TOO_LARGE]),
        Hostile("oversized and signed", topic, envelope + bytes(_MIB), only[Reason.TOO_LARGE]),
        Hostile("a signature with one bit changed", topic, bytes(flipped), only[Reason.BAD_SIGNATURE]),
        Hostile("a payload with one bit changed", topic, bytes(changed), only[Reason.BAD_SIGNATURE]),
        Hostile("signed for another topic", topics.status(gateway), envelope, only[Reason.BAD_SIGNATURE]),
        Hostile("replayed on another gateway's topic", elsewhere, envelope, only[Reason.BAD_SIGNATURE]),
        Hostile("signed by another gateway", topic, other_signer.sign(good, topic), only[Reason.FOREIGN_KEY]),
        Hostile("names another gateway", elsewhere, other_signer.sign(good, elsewhere), only[Reason.GATEWAY_MISMATCH]),
        Hostile("of a key nobody enrolled", topic, stranger.sign(good, topic), only[Reason.UNKNOWN_KEY]),
        Hostile("an algorithm nobody knows", topic, _of_algorithm(-7, envelope), UNSIGNED),
        Hostile("bytes behind the signature", topic, envelope + b"\x00", UNSIGNED),
        Hostile("an unprotected header", topic, envelope.replace(b"\xa0", b"\xa1\x01\x01", 1), UNSIGNED),
    ]
    found += list(_replies(gateway, signer, other, other_signer))
    for name in ("gw-nobody", "..", " ", "电表", "a" * 65, "-x"):
        foreign = f"{topics.ROOT}/up/{name}/records"
        reasons = frozenset({Reason.TOPIC, Reason.UNKNOWN_GATEWAY, Reason.BAD_SIGNATURE})
        found.append(Hostile(f"on the topic of {name[:10]!r}", foreign, stranger.sign(good, foreign), reasons))
    return found


def _replies(gateway: str, signer: Signer, other: str, other_signer: Signer) -> Iterator[Hostile]:
    """Yield replies to commands that nobody has given."""
    topic = topics.reply(gateway)
    good = Reply(gateway, bytes(16), 1, Outcome.DONE, "", Verb.STATUS, Figures({"version": "1"})).encode()
    content: dict[int, Any] = cbor2.loads(good)
    only = {reason: frozenset({reason}) for reason in Reason}
    yield Hostile("unsigned reply", topic, good, UNSIGNED)
    yield Hostile("reply to no command", topic, signer.sign(good, topic), only[Reason.UNKNOWN_COMMAND])
    yield Hostile("reply of another gateway", topic, other_signer.sign(good, topic), only[Reason.FOREIGN_KEY])
    elsewhere = topics.reply(other)
    named = other_signer.sign(good, elsewhere)
    yield Hostile("reply in another's name", elsewhere, named, only[Reason.GATEWAY_MISMATCH])
    wrong: dict[str, dict[int, Any]] = {
        "an id of 15 bytes": {2: bytes(15)},
        "an outcome that is none": {4: 4},
        "an outcome that is true": {4: True},
        "a text of 1025 bytes": {5: "x" * 1025},
        "a verb that is none": {6: 99},
        "the result of another verb": {6: int(Verb.RESEND)},
        "a figure beyond 64 bits": {7: {1: {"a": 2**63}}},
        "figures that are none": {7: {1: [1]}},
        "4097 figures": {7: {1: {f"{number:04}": 1 for number in range(4097)}}},
        "a freeze that is no record": {6: int(Verb.READ_DAY), 7: {1: [[0, b"\x00"]], 2: [], 3: {}}},
        "a digest of 31 bytes": {6: int(Verb.CONFIGURE), 7: {1: 0, 2: bytes(31), 5: []}},
    }
    for name, changes in wrong.items():
        payload = cbor2.dumps(ordered({**content, **changes}), canonical=True)
        yield Hostile(f"reply with {name}", topic, signer.sign(payload, topic), SIGNED)
    without = cbor2.dumps(ordered({key: value for key, value in content.items() if key != 6}))
    yield Hostile("reply with a result and no verb", topic, signer.sign(without, topic), SIGNED)


def tiny(count: int, gateways: list[str], seed: int = 4) -> Iterator[tuple[str, bytes]]:
    """Yield so many (topic, message) of up to 16 bytes, by chance, on topics of gateways and of nobody."""
    draw = random.Random(seed)
    where = [topics.records(name) for name in gateways] + [topics.status(name) for name in gateways]
    where += [topics.reply(name) for name in gateways]
    where += [topics.records(f"nobody-{number}") for number in range(50)]
    for _ in range(count):
        yield where[draw.randrange(len(where))], draw.randbytes(draw.randrange(17))
