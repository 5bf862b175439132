"""What the firmware says on the sample stream, out of octets as they come."""

import pytest

from firmware_sim.inspection.parts.stream_frames import HEAD, Can, FrameError, Takes
from firmware_sim.inspection.parts.stream_heard import Acknowledged, Hello, Listener, Pulses


def hello() -> bytes:
    return HEAD.pack(b"HELO", 12) + b"".join(value.to_bytes(4, "little") for value in (1, 1, 7))


def ack(index: int) -> bytes:
    return HEAD.pack(b"ACK ", 8) + index.to_bytes(8, "little")


def pulse(index: int, kind: int = 1) -> bytes:
    return HEAD.pack(b"PULS", 16) + index.to_bytes(8, "little") + kind.to_bytes(4, "little") + bytes(4)


@pytest.mark.parametrize("cut", [1, 7, 24, 1_000])
def test_frames_are_found_wherever_they_are_cut(cut: int) -> None:
    longer = HEAD.pack(b"PULS", 18) + pulse(9)[8:] + b"xx"  # of a later version
    news = HEAD.pack(b"NEWS", 30) + pulse(3) + bytes(6)  # not known
    octets = hello() + pulse(1) + pulse(2, 2) + longer + ack(10) + news + ack(11)
    listener = Listener()
    found: list[object] = []
    for place in range(0, len(octets), cut):
        for said in listener.take(octets[place : place + cut]):
            found += list(said.each()) if isinstance(said, Pulses) else [said]
    listener.end()
    pulses = [(1, 1, 0), (2, 2, 0), (9, 1, 0)]
    assert found == [Hello(1, Takes.SAMPLES, Can(7)), *pulses, Acknowledged(10), Acknowledged(11)]
    assert list(listener.take(ack(12)[:-1])) == []
    with pytest.raises(FrameError, match="expected a whole frame, got"):
        listener.end()
