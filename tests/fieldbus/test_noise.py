"""What is noise on a line with several protocols."""

from typing import Any

from fieldbus.exchange import Heard, Noise
from fieldbus.noise import Burst

A: Any = object()
B: Any = object()


def frame(octets: bytes) -> Heard:
    """Return a frame as a framing found it."""
    return Heard("meter", "x", None, octets)


def test_with_one_protocol_noise_is_what_it_says() -> None:
    """Piece by piece."""
    burst = Burst()
    burst.noise(A, Noise(b"1", "one"))
    burst.heard(A, frame(b"frame"))
    burst.noise(A, Noise(b"2", "two"))
    assert [noise.reason for noise in burst.end([A])] == ["one", "two"]
    assert burst.end([A]) == []


def test_another_protocols_frames_are_no_noise() -> None:
    """Each does not understand the other's, in one burst."""
    burst = Burst()
    burst.heard(A, frame(b"aaaa"))
    burst.noise(B, Noise(b"aa", ""))
    burst.noise(B, Noise(b"aa", ""))
    burst.heard(B, frame(b"bbbb"))
    burst.noise(A, Noise(b"bbbb", ""))
    assert burst.end([A, B]) == []


def test_noise_is_the_least_that_anyone_complains_of() -> None:
    """A knows the preamble P, B does not; both don't know the rest."""
    burst = Burst()
    burst.noise(B, Noise(b"PPaaaa%", "b"))
    burst.heard(A, frame(b"aaaa"))
    burst.noise(A, Noise(b"%", "a"))
    assert burst.end([A, B]) == [Noise(b"%", "a")]
    burst.noise(B, Noise(b"PP", "b"))
    assert burst.end([A, B]) == []
