"""DL/T codecs: frames a second on one core, from Rust and through Python, beside the packages `dlt645` and `dlt698`.

All get the same frames in the same run, in turn, and the best of the rounds counts. `decode` ends at what the side has
to offer: ours at Python's own numbers in dictionaries (in Rust at owned values), `dlt645` at a float, `dlt698` at an
object of its C++ core whose values are not yet Python's. `dlt698` can be called from Python only. So that Rust is
compared with its C++ core and not with its binding, the time in which the binding makes an empty object is taken off
for each object that a call returns: what is left is the least that the core can need.
"""

import json
import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt645.common.transform import bcd_to_float
from dlt645.protocol.protocol import DLT645Protocol
from dlt698 import codec as peer698

from diantan_core import (
    Dlt645Frame,
    Dlt645Parser,
    Dlt698Frame,
    Dlt698Parser,
    dlt645_build,
    dlt645_decode,
    dlt645_encode,
    dlt645_parse,
    dlt698_decode_apdu,
    dlt698_encode_apdu,
)

ROUNDS = 9
CALLS = 2_000  # of each frame and round
STREAM = 200  # frames fed in one call
ROOT = Path(__file__).parent.parent
ADDRESS = "000000000161"
METER = "201605190907"

Work = Callable[[Any], object]


@dataclass(frozen=True)
class Side:
    """One way through a codec: its name and rate in frames a second."""

    name: str
    rate: float


def _rates(works: Sequence[tuple[str, Work, Sequence[Any]]], calls: int = CALLS) -> list[Side]:
    """Time functions in turn, so that all see the same machine; each is called for each of its items."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for index, (_, work, items) in enumerate(works):
            started = time.perf_counter()
            for item in items:
                for _ in range(calls):
                    work(item)
            best[index] = min(best[index], (time.perf_counter() - started) / calls / len(items))
    return [Side(name, 1 / seconds) for (name, _, _), seconds in zip(works, best, strict=True)]


def _rust(protocol: str, frames: Sequence[bytes]) -> dict[str, float]:
    """Return what the example `codecs` of the core measures on the same frames."""
    build = ["cargo", "build", "--release", "--quiet", "--locked", "--package", "diantan-core", "--example", "codecs"]
    subprocess.run(build, cwd=ROOT, check=True)
    program = ROOT / "target" / "release" / "examples" / "codecs"
    run = subprocess.run(
        [program, protocol, *(frame.hex() for frame in frames)], check=True, capture_output=True, text=True
    )
    rates: dict[str, float] = json.loads(run.stdout)
    return rates


def frames_645() -> list[bytes]:
    """Return replies to reads: an energy, a voltage, a power, the energies of all tariffs."""
    values = {0x00010000: [(12345678, -2)], 0x02010100: [(2203, -1)], 0x02030000: [(-70001, -4)]}
    values[0x0001FF00] = [(total, -2) for total in (12345678, 1234567, 2345678, 3456789, 5308644)]
    replies = []
    for di, numbers in values.items():
        data = dlt645_encode(di, numbers)
        replies.append(dlt645_build(ADDRESS, {"kind": "read", "reply": True, "di": di, "data": data}))
    return [reply.encode(0) for reply in replies]


def frames_698() -> list[bytes]:
    """Return replies to reads: an energy of all tariffs, two quantities of three phases, two rows of a daily freeze."""

    def reply(kind: str, content: dict[str, object]) -> bytes:
        tail = {"follow_report": None, "time_tag": None}
        apdu = dlt698_encode_apdu(("get_response", (kind, {"piid_acd": 1} | content | tail)))
        return Dlt698Frame(0xC3, METER, 0, apdu).encode()

    energies = [("double_long_unsigned", value) for value in (123456, 12345, 23456, 34567, 53086)]
    voltages = [("long_unsigned", value) for value in (2203, 2211, 2198)]
    currents = [("double_long", value) for value in (5000, 4980, -12)]
    rows = [[("double_long_unsigned", 123000), ("long_unsigned", 2405)]] * 2
    return [
        reply("normal", {"oad": 0x00100200, "result": ("data", ("array", energies))}),
        reply(
            "normal_list",
            {
                "results": [
                    {"oad": 0x20000200, "result": ("data", ("array", voltages))},
                    {"oad": 0x20010200, "result": ("data", ("array", currents))},
                ]
            },
        ),
        reply(
            "record",
            {
                "record": {
                    "oad": 0x50040200,
                    "columns": [("oad", 0x00100201), ("oad", 0x20000201)],
                    "result": ("rows", rows),
                }
            },
        ),
    ]


def _decode_645(parser: Dlt645Parser, wire: bytes) -> object:
    frame = parser.feed(wire)[0]
    assert isinstance(frame, Dlt645Frame)
    message = dlt645_parse(frame)
    return dlt645_decode(message["di"], message["data"])


def _peer_decode_645(wire: bytes) -> object:
    frame = DLT645Protocol.deserialize(wire)
    assert frame is not None
    data, last = frame.data[4:], frame.data[3] == 0
    size = 4 if last else len(data)
    return [bcd_to_float(data[i : i + size], "XXXXXX.XX", "little") for i in range(0, len(data), size)]


def _peer_stream_645(octets: bytes) -> list[object]:
    frames: list[object] = []
    while octets:
        octets, frame = DLT645Protocol.deserialize_with_remaining(octets)
        frames.append(frame)
    return frames


def _line(
    title: str, rust: float, python: float, peer: Side, wanted: tuple[float, float], *, binding_s: float = 0
) -> str:
    """Return a line; `wanted` are the least ratios to the peer, from Rust (without its binding) and through Python."""
    core = 1 / (1 / peer.rate - binding_s)
    from_rust, through = rust / core, python / peer.rate
    at_most = f" (core at most {core / 1e6:.2f})" if binding_s else ""
    verdict = "meets" if from_rust >= wanted[0] and through >= wanted[1] else "MISSES"
    return (
        f"  {title:<22} Rust {rust / 1e6:6.2f} M/s ({from_rust:6.1f}x)   "
        f"Python {python / 1e6:5.2f} M/s ({through:5.1f}x)   "
        f"{peer.name} {peer.rate / 1e6:5.2f} M/s{at_most}   {verdict} {wanted[0]:g}x and {wanted[1]:g}x"
    )


def _dlt645() -> list[str]:
    frames = frames_645()
    rust = _rust("dlt645", frames)
    parser = Dlt645Parser()
    ours = [frame for wire in frames for frame in parser.feed(wire) if isinstance(frame, Dlt645Frame)]
    theirs = [DLT645Protocol.deserialize(wire) for wire in frames]
    assert [frame.data for frame in ours] == [bytes(frame.data) for frame in theirs]
    wanted = (5.0, 5.0)
    calls = CALLS // 10
    decode, decode_peer = _rates([("", parser.feed, frames), ("dlt645", DLT645Protocol.deserialize, frames)], calls)
    values, values_peer = _rates(
        [("", lambda wire: _decode_645(parser, wire), frames), ("dlt645", _peer_decode_645, frames)], calls
    )
    encode, encode_peer = _rates(
        [
            ("", Dlt645Frame.encode, ours),
            ("dlt645", lambda f: DLT645Protocol.build_frame(f.addr, f.ctrl_code, f.data), theirs),
        ],
        calls,
    )
    stream = b"".join(frames) * STREAM
    count = len(frames) * STREAM
    many, many_peer = _rates([("", parser.feed, [stream]), ("dlt645", _peer_stream_645, [stream])], 3)
    many, many_peer = Side("", many.rate * count), Side("dlt645", many_peer.rate * count)
    return [
        _line("decode frames", rust["decode frame"], decode.rate, decode_peer, wanted),
        _line(f"stream, {count} a call", rust["decode frame"], many.rate, many_peer, wanted),
        _line("decode to values", rust["decode to values"], values.rate, values_peer, wanted),
        _line("encode frames", rust["encode frame"], encode.rate, encode_peer, wanted),
    ]


def _dlt698() -> list[str]:
    frames = frames_698()
    rust = _rust("dlt698", frames)
    ours = [Dlt698Frame.decode(wire) for wire in frames]
    theirs = [peer698.decode_frame(wire) for wire in frames]
    assert [frame.user_data for frame in ours] == [frame.payload for frame in theirs]
    values_of_ours = [(frame, dlt698_decode_apdu(frame.user_data)) for frame in ours]
    values_of_theirs = [(frame, peer698.decode_apdu(frame.payload)) for frame in theirs]
    wanted = (1.0, 0.5)

    def encode_peer(pair: tuple[Any, Any]) -> bytes:
        frame, apdu = pair
        made = peer698.Frame()
        made.control, made.client, made.server = frame.control, frame.client, frame.server
        made.payload = peer698.encode_apdu(apdu)
        return bytes(peer698.encode_frame(made))

    def encode_ours(pair: tuple[Dlt698Frame, Any]) -> bytes:
        frame, apdu = pair
        return Dlt698Frame(frame.control, METER, frame.client, dlt698_encode_apdu(apdu)).encode()

    # The last number says how many objects of the binding a call makes.
    works: list[tuple[str, str, Work, Sequence[Any], Work, Sequence[Any], int]] = [
        ("decode frames", "decode frame", Dlt698Frame.decode, frames, peer698.decode_frame, frames, 1),
        (
            "decode to values",
            "decode to values",
            lambda wire: dlt698_decode_apdu(Dlt698Frame.decode(wire).user_data),
            frames,
            lambda wire: peer698.decode_apdu(peer698.decode_frame(wire).payload),
            frames,
            2,
        ),
        ("encode frames", "encode frame", Dlt698Frame.encode, ours, peer698.encode_frame, theirs, 1),
        ("encode from values", "encode from values", encode_ours, values_of_ours, encode_peer, values_of_theirs, 3),
    ]
    (empty,) = _rates([("", lambda _: peer698.Frame(), [None])])
    lines = []
    for title, key, work, items, peer_work, peer_items, objects in works:
        python, peer = _rates([("", work, items), ("dlt698", peer_work, peer_items)])
        lines.append(_line(title, rust[key], python.rate, peer, wanted, binding_s=objects / empty.rate))
    parser, peer_parser = Dlt698Parser(), peer698.FrameStreamDecoder()
    stream = b"".join(frames) * STREAM
    python, peer = _rates([("", parser.feed, [stream]), ("dlt698", peer_parser.feed, [stream])], 20)
    count = len(frames) * STREAM
    python, peer = Side("", python.rate * count), Side("dlt698", peer.rate * count)
    title = f"stream, {count} a call"
    lines.append(_line(title, rust["decode from a stream"], python.rate, peer, wanted, binding_s=1 / empty.rate))
    return lines


def run() -> list[str]:
    """Measure and return the lines to print."""
    logging.disable(logging.CRITICAL)
    return [
        "codecs, DL/T 645-2007: frames a second on one core beside dlt645 3.2.0 (Python)",
        *_dlt645(),
        "codecs, DL/T 698.45-2017: frames a second on one core beside dlt698 1.0.1 (C++ core, called from Python)",
        *_dlt698(),
    ]


if __name__ == "__main__":
    print("\n".join(run()))
