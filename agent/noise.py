"""Octets that are no frame, on a line that several protocols share: what is one's noise may be another's frame."""

from agent.exchange import Framing, Heard, Noise


class Burst:
    """What came between two silences, as each framing sees it: noise is only what the one that understood most says.

    Every framing gets every octet, so a frame of one protocol is noise to the others.
    """

    def __init__(self) -> None:
        self._owner: Framing | None = None
        self._noise: list[tuple[Framing, Noise]] = []
        self._understood: list[tuple[Framing, int]] = []

    def own(self, framing: Framing) -> None:
        """Name the framing whose word counts where none has understood anything: the one whose reply is awaited."""
        self._owner = framing

    def noise(self, framing: Framing, noise: Noise) -> None:
        """Take note of octets that a framing did not understand."""
        self._noise.append((framing, noise))

    def heard(self, framing: Framing, heard: Heard) -> None:
        """Take note of a frame that it understood."""
        self._understood.append((framing, len(heard.octets)))

    def end(self) -> list[tuple[Framing, Noise]]:
        """Return what is noise, and begin anew."""
        noise, understood = self._noise, self._understood
        if not noise:
            understood.clear()
            return noise
        self._noise, self._understood = [], []
        octets: dict[int, int] = {}
        for framing, count in understood:
            octets[id(framing)] = octets.get(id(framing), 0) + count
        framings = {id(framing): framing for framing, _ in noise}
        if octets:
            judge = max(octets, key=lambda key: octets[key])
        elif self._owner is not None:
            judge = id(self._owner)  # if it has nothing to complain of, they were a preamble
        else:
            judge = next(iter(framings))
        return [(framing, item) for framing, item in noise if id(framing) == judge]
