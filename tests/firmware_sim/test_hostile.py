"""Whatever octets come over a line, its meters go on answering."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from sim_support import DLT645, DLT698, START, dlt645_read, dlt698_get, mbap, read_pdu, rtu, served, service_of

from clock import ManualClock
from firmware_sim.lines.line import Session
from firmware_sim.serve import Service

ADDRESS = "112233445566"
MIXED = [
    *(rtu(1, pdu) for pdu in (read_pdu(0, 60), bytes((6, 0x40, 0x20, 0, 5)), bytes((17,)), bytes((43, 14, 1, 0)))),
    *(dlt645_read(ADDRESS, di) for di in (0x0001FF00, 0x04000101, 0x05060101, 0x02010100)),
    *(dlt698_get(ADDRESS, oad) for oad in (0x00100200, 0x40000200, 0x50040200, 0xF2010201)),
]
ASK, REPLY = rtu(1, bytes((6, 0x40, 0x20, 0, 7))), rtu(1, bytes((6, 0x40, 0x20, 0, 7)))


def spoilt(frames: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return frames with some octets replaced, taken out or put in."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        frame = bytearray(draw(st.sampled_from(frames)))
        for _ in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(frame) - 1))
            frame[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
            if not frame:
                break
        return bytes(frame)

    return build()


def session_of(service: Service, heard: list[bytes]) -> Session:
    return service._lines[0].open(heard.append)


@settings(max_examples=150, deadline=None)
@given(st.lists(spoilt(MIXED) | st.binary(max_size=40), max_size=8))
def test_a_mixed_line_survives_anything(stream: list[bytes]) -> None:
    async def run() -> bytes:
        meters = (served("a"), served("b", DLT645, address=ADDRESS), served("c", DLT698, address=ADDRESS))
        service = service_of(*meters, clock=ManualClock(START), transport="pty")
        heard: list[bytes] = []
        session = session_of(service, heard)
        for octets in stream:
            session.receive(octets)
        session.receive(ASK)
        return b"".join(heard)

    # Its octets may also end what another protocol waits for: that answer then comes behind.
    assert REPLY in asyncio.run(run())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(spoilt([mbap(1, read_pdu(0, 60)), mbap(1, bytes((43, 14, 1, 0)))]) | st.binary(max_size=40), max_size=8)
)
def test_modbus_tcp_survives_anything(stream: list[bytes]) -> None:
    async def run() -> None:
        service = service_of(served("a"), clock=ManualClock(START), transport="modbus-tcp")
        for octets in stream:
            heard: list[bytes] = []
            session_of(service, heard).receive(octets)
            assert all(len(reply) <= 260 for reply in heard)

    asyncio.run(run())
