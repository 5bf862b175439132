"""Octets that are no frame, on a line that several protocols share: what is one's noise may be another's frame."""

from collections.abc import Iterable

from fieldbus.exchange import Framing, Heard, Noise


class Burst:
    """What came between two silences, as each framing sees it.

    Every framing gets every octet. What remains of its noise without the frames of the others is noise to it; and noise
    to the line is the least that remains to any, since one may know a preamble that the others don't.
    """

    def __init__(self) -> None:
        self._noise: list[tuple[Framing, Noise]] = []
        self._heard: list[tuple[Framing, bytes]] = []

    def noise(self, framing: Framing, noise: Noise) -> None:
        """Take note of octets that a framing did not understand."""
        self._noise.append((framing, noise))

    def heard(self, framing: Framing, heard: Heard) -> None:
        """Take note of a frame that it understood."""
        self._heard.append((framing, heard.octets))

    def end(self, framings: Iterable[Framing]) -> list[Noise]:
        """Return what is noise to all of these, and begin anew."""
        noise, heard = self._noise, self._heard
        if not noise:
            heard.clear()
            return []
        self._noise, self._heard = [], []
        everyone = list(framings)
        if len(everyone) == 1:
            return [item for _, item in noise]
        remains = [_remains(framing, noise, heard) for framing in everyone]
        least = min(remains, key=lambda item: len(item.octets))
        return [least] if least.octets else []


def _remains(framing: Framing, noise: list[tuple[Framing, Noise]], heard: list[tuple[Framing, bytes]]) -> Noise:
    own = [item for owner, item in noise if owner is framing]
    octets = b"".join(item.octets for item in own)
    for owner, frame in heard:
        if owner is not framing:
            octets = octets.replace(frame, b"", 1)
    return Noise(octets, own[-1].reason if own else "")
